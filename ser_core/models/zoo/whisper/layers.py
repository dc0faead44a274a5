"""The layers of Whisper's encoder, with the names and shapes of the published weights.

Written here because importing those of transformers takes two seconds of every process, and most of its memory.
Predictions are computed in fewer bits: in 8 bits where that keeps the statistics of the frames, in bfloat16 elsewhere.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.models.zoo.reduced import Bf16Conv1d, Bf16Linear, Int8Linear, project


class WhisperAttention(nn.Module):
    """Attention of every frame to all frames of its clip."""

    def __init__(self, width: int, n_heads: int):
        super().__init__()
        self.n_heads, self.scale = n_heads, (width // n_heads) ** -0.5
        self.k_proj = Int8Linear(width, width, bias=False)
        self.v_proj = Bf16Linear(width, width)  # 8 bits of the values and their projection would move the statistics
        self.q_proj = Int8Linear(width, width)
        self.out_proj = Bf16Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, n_frames, width) -> the same shape. mask: added to the scores, shape = (B, 1, 1, n_frames)."""
        query, key = project(x, self.q_proj, self.k_proj)
        value = self.v_proj(x).to(query.dtype)
        heads = self._split(query * self.scale), self._split(key), self._split(value)
        mixed = F.scaled_dot_product_attention(*heads, attn_mask=mask, scale=1.0)
        return self.out_proj(mixed.transpose(1, 2).reshape(x.shape))

    def _split(self, x: Tensor) -> Tensor:
        """(B, n_frames, width) -> (B, n_heads, n_frames, width of a head)."""
        return x.view(*x.shape[:2], self.n_heads, -1).transpose(1, 2)


class WhisperLayer(nn.Module):
    """Attention, then two linear layers with a GELU between them; each is normalised before and added to its input."""

    def __init__(self, width: int, n_heads: int, inner_width: int):
        super().__init__()
        self.self_attn = WhisperAttention(width, n_heads)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = Int8Linear(width, inner_width)
        self.fc2 = Int8Linear(inner_width, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, n_frames, width) -> the same shape; mask: see WhisperAttention."""
        x = x + self.self_attn(self.self_attn_layer_norm(x), mask)
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class WhisperEncoder(nn.Module):
    """Two convolutions over log-mel frames, positions, and the layers; without the norm behind the last layer."""

    def __init__(self, sizes: dict):
        """Random weights.

        Args:
            sizes: with the keys of WHISPER_BASE.
        """
        super().__init__()
        width = sizes["d_model"]
        self.conv1 = Bf16Conv1d(sizes["num_mel_bins"], width, 3, padding=1)
        self.conv2 = Bf16Conv1d(width, width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(sizes["max_source_positions"], width)
        sizes_of_layer = (width, sizes["encoder_attention_heads"], sizes["encoder_ffn_dim"])
        self.layers = nn.ModuleList(WhisperLayer(*sizes_of_layer) for _ in range(sizes["encoder_layers"]))

    def convolve(self, features: Tensor, n_steps: int) -> Tensor:
        """(B, n_mels, n_frames) -> the first frames of 20 ms with their positions, shape = (B, n_steps, width).

        Raises:
            ValueError: more frames than there are positions.
        """
        if n_steps > (most := self.embed_positions.num_embeddings):
            raise ValueError(
                f"A window of {n_steps / 50:g} s is too long: Whisper's encoder takes {most / 50:g} s at most. "
                "Choose a shorter window_s."
            )
        hidden = F.gelu(self.conv2(F.gelu(self.conv1(features)))).transpose(1, 2)
        return hidden[:, :n_steps] + self.embed_positions.weight[:n_steps]
