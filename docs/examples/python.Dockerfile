# The Event Controller's plug-ins, with Python beside the service: docker build -f python.Dockerfile -t my/watchchain .
FROM watchchain
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
USER 65532:65532
COPY plugins /plugins
# Beyond what the image's own ENTRYPOINT allows.
ENV PYTHONPATH=/plugins NODE_OPTIONS="--allow-child-process --allow-fs-read=/plugins/"
CMD ["--compat", "event-controller", "--state=/var/lib/watchchain", "--listen=0.0.0.0:8080"]
