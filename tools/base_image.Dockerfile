# A replacement for AWS's Python base image: the same paths on a Debian root file system.
FROM background-blur-rootfs
COPY requirements/base.txt /build/
RUN python3 -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps \
    --require-hashes --only-binary :all: --target /var/runtime --requirement /build/base.txt \
 && rm -r /build
ENV LAMBDA_TASK_ROOT=/var/task PYTHONPATH=/var/runtime LANG=C.UTF-8
WORKDIR /var/task
ENTRYPOINT ["/usr/bin/python3", "-m", "awslambdaric"]
