# The pages, the REST interface and the live microphone on one port. docs/deployment.md says how to run it.
FROM python:3.11.7-slim-bookworm

# An index with PyTorch for the CPU alone makes the image several GB smaller; see docs/deployment.md.
ARG TORCH_INDEX_URL=""
# transformers, for checkpoints of wav2vec2 and those that scripts.add_model adds; umap-learn, for new maps of UMAP.
ARG PACKAGES=""

WORKDIR /app
COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir -r requirements.txt -c constraints.txt $PACKAGES \
    ${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"}

COPY app.py pyproject.toml README.md LICENSE CITATION.cff ./
COPY .streamlit .streamlit
COPY pages pages
COPY ser_core ser_core
COPY scripts scripts
COPY assets assets
COPY checkpoints checkpoints

# All that is written goes to /tmp, so the rest can be mounted read-only; nothing is fetched while it runs.
ENV HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/numba \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_TEMP_DIR=/tmp/gradio

RUN useradd --uid 1000 --no-create-home --shell /usr/sbin/nologin app
USER 1000

EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=90s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/api/v1/health', timeout=8)"]
CMD ["python", "-m", "scripts.serve", "--headless", "--host", "0.0.0.0", "--port", "8501"]
