"""The live face of the program, made with Gradio, which gives it an API for `gradio_client` as well."""

from pathlib import Path

import gradio as gr

from ser_core.audio import AudioError, read_audio
from ser_core.checkpoint import CheckpointError, available_models
from ser_core.loaded import shared_model
from ser_core.queue import QueueFull, inference_queue
from ser_core.records import answer_record


def build_live() -> gr.Blocks:
    """The page, to be mounted at `ser_core.serving.LIVE`."""
    with gr.Blocks(title="Speech emotion workbench", analytics_enabled=False, delete_cache=(60, 60)) as live:
        recording = gr.Audio(sources=["upload", "microphone"], type="filepath", label="Recording")
        answer = gr.JSON(label="Answer")
        gr.Button("Analyse").click(predict, recording, answer, api_name="predict")
    return live


def predict(file: str | None) -> dict:
    """What `python -m scripts.predict` prints of this recording; the copy that Gradio made of it is deleted."""
    if file is None:
        raise gr.Error("There is no recording. Record or choose one.", print_exception=False)
    try:
        content = Path(file).read_bytes()
        Path(file).unlink(missing_ok=True)
        with inference_queue.place().turn():
            return answer_record(read_audio(content), shared_model(available_models()[0]))
    except (AudioError, CheckpointError, QueueFull) as error:
        raise gr.Error(str(error), print_exception=False) from None
