# shellcheck shell=bash
# What the scripts beside this one share: checks that are counted, an engine, the image, and that everything that was
# started is taken down at the end, however it ends; the images stay, for the next time's sake. To be sourced first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# shellcheck disable=SC2034  # for who sources this
image=chainrule:test
export CHAINRULE_TAG=test
export COMPOSE_PROJECT_NAME=chainrule-test-$$

passed=0 failed=0
started=no finished=no
work=$(mktemp -d)
# Kept for the end, which may come in the middle of a check, whose output goes to a file.
exec 3>&1 4>&2

say() { printf '%s\n' "$*"; }

# check WHAT COMMAND...: counts it, and shows what the command said if it fails.
check() {
  local what=$1
  shift
  if "$@" >"$work/said" 2>&1; then
    passed=$((passed + 1))
    say "ok    $what"
  else
    failed=$((failed + 1))
    say "FAIL  $what"
    sed 's/^/        /' "$work/said"
  fi
}

# is WANTED GOT
is() {
  [[ $2 == "$1" ]] || { say "wanted: $1" "got: $2"; return 1; }
}

compose() {
  if command -v docker-compose >/dev/null; then docker-compose "$@"; else docker compose "$@"; fi
}

# bring_up ARGUMENTS...: what `compose up` starts is taken down later.
bring_up() {
  started=yes
  compose "$@" >"$work/up" 2>&1 || { cat "$work/up"; exit 1; }
}

# The services that run, in one line.
services() {
  docker ps --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
    --format '{{.Label "com.docker.compose.service"}}' | sort | paste -sd ' '
}

take_down() {
  [[ $started == yes ]] || return 0
  compose down --volumes --remove-orphans --timeout 20 >"$work/down" 2>&1 || { cat "$work/down"; return 1; }
  started=no
}

nothing_left() {
  local mine=label=com.docker.compose.project=$COMPOSE_PROJECT_NAME
  is "" "$(docker ps --all --quiet --filter "$mine")" &&
    is "" "$(docker volume ls --quiet --filter "$mine")" &&
    is "" "$(docker network ls --quiet --filter "$mine")"
}

# Where all went well this is a check as well; where not, the logs are shown first.
finish() {
  if ((failed == 0)); then
    check "everything is taken down" take_down
    check "no container, volume or network is left" nothing_left
  fi
  finished=yes
}

at_exit() {
  local status=$?
  trap - EXIT
  exec 1>&3 2>&4
  if [[ $finished == no ]]; then
    failed=$((failed + 1))
    say "FAIL  it ended early, with exit code $status"
  fi
  if ((failed)) && [[ $started == yes ]]; then
    say "the containers' logs:"
    compose logs --no-color --tail 50 2>&1 | sed 's/^/        /' || true
  fi
  take_down || failed=$((failed + 1))
  rm -rf "$work"
  say "$passed passed, $failed failed"
  ((failed == 0)) || exit 1
}
trap at_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

need_engine() {
  docker info >/dev/null 2>&1 && return
  # A machine without an engine may have its own way to start one, beside the repository.
  if [[ -x ../shared/containers/up ]]; then
    ../shared/containers/up
  else
    say "a Docker engine is needed, and none answers 'docker info'" >&2
    exit 1
  fi
}

# build NAME FOLDER [FLAG...]: an image. With the host's network, for the sake of machines whose proxy is on loopback.
build() {
  local name=$1 folder=$2
  shift 2
  say "building $name"
  DOCKER_BUILDKIT=0 docker build --network host --tag "$name" "$@" "$folder" >"$work/build" 2>&1 || {
    cat "$work/build"
    exit 1
  }
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
