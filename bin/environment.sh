# The scripts beside it source this file after they set $root. run_in_environment EXTRAS COMMAND [ARGUMENT...] becomes
# COMMAND of the checkout's virtual environment. If the environment is missing, out of date or lacks one of EXTRAS,
# environment.py makes it. If it is ready, no process is started but the command's own.

case ${HISTPRED_VENV:-} in '' | /*) ;; *) HISTPRED_VENV=$PWD/$HISTPRED_VENV ;; esac

# fail WHAT REMEDY
fail() {
    printf 'histpred: %s\n' "$1" >&2
    printf '  %s\n' "$2" >&2
    exit 1
}

# Choose $HISTPRED_VENV, or .venv in the checkout, or, if the checkout is read-only, a folder in the user's cache.
choose_folder() {
    venv=${HISTPRED_VENV:-$root/.venv}
    if [ -n "${HISTPRED_VENV:-}" ] || is_ready || [ -w "$root" ]; then return; fi

    case ${XDG_CACHE_HOME:-} in
    /*) cache=$XDG_CACHE_HOME ;;
    *) cache=${HOME:+$HOME/.cache} ;;
    esac
    [ -n "$cache" ] || fail "$root cannot be written and HOME is not set, so there is no place for a virtual environment" \
        "set HISTPRED_VENV to a folder for it, which need not exist"
    venv=$cache/histpred/environments$root/.venv
}

# Succeed if the environment is newer than its sources, made for this folder, and has the extras. If this fails,
# environment.py looks closer.
is_ready() {
    [ -x "$venv/bin/python" ] && [ -r "$venv/ready" ] &&
        [ "$venv/ready" -nt "$root/pyproject.toml" ] && [ "$venv/ready" -nt "$root/constraints.txt" ] || return 1
    { IFS= read -r made_for && IFS= read -r has_extras; } <"$venv/ready" || return 1
    [ "$made_for" = "$root" ] || return 1
    for extra in $extras; do
        case " $has_extras " in *" $extra "*) ;; *) return 1 ;; esac
    done
}

# Find the first Python on the PATH that is new enough and can make an environment.
find_python() {
    old='' bare=''
    for python in python3 python3.14 python3.13 python3.12 python3.11 python; do
        command -v "$python" >/dev/null 2>&1 || continue
        if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null >/dev/null 2>&1; then
            old=$old${old:+, }$python
        elif ! "$python" -c 'import ensurepip, venv' </dev/null >/dev/null 2>&1; then
            bare=$python
        else
            return 0
        fi
    done

    [ -z "$bare" ] || fail "$bare cannot make virtual environments: its ensurepip module is missing" \
        "Debian and Ubuntu: apt install python3-venv"
    fail "no Python 3.11 or newer on the PATH${old:+ (older: $old)}" \
        "Debian and Ubuntu: apt install python3 python3-venv; conda: conda create -n histpred python=3.12"
}

run_in_environment() {
    extras="$1 ${HISTPRED_EXTRAS:-}"
    command=$2
    shift 2
    [ -r "$root/pyproject.toml" ] && [ -r "$root/constraints.txt" ] ||
        fail "$root is no checkout of histpred" "elsewhere, install it: pip install histpred"

    unset PYTHONHOME PYTHONPATH
    export PYTHONNOUSERSITE=1
    choose_folder
    if is_ready; then exec "$venv/bin/python" "$venv/bin/$command" "$@"; fi

    find_python
    exec "$python" -I -B "$root/bin/environment.py" "$root" "$venv" "$extras" "$command" "$@"
}
