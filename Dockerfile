# mmris with its pinned packages: `docker build -t mmris .`, then `docker run --rm -it mmris mmris --help`.
# On GPUs: `docker run --rm -it --gpus all --shm-size 8g -v $PWD:/work mmris mmris doctor`.
FROM python:3.12-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /mmris
COPY . .
RUN make install && mkdir /work
ENV PATH=/mmris/.venv/bin:$PATH
WORKDIR /work
CMD ["mmris", "--help"]
