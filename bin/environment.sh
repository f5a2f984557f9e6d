# Sourced by the scripts beside it, which set $root. run_in_environment EXTRAS COMMAND [ARGUMENT...] runs COMMAND of the
# checkout's virtual environment. environment.py makes the environment if it is missing, stale or lacks one of EXTRAS.
# If it is ready, only the process of the command is started.

case ${HISTPRED_VENV:-} in '' | /*) ;; *) HISTPRED_VENV=$PWD/$HISTPRED_VENV ;; esac

# fail WHAT REMEDY
fail() {
    printf 'histpred: %s\n' "$1" >&2
    printf '  %s\n' "$2" >&2
    exit 1
}

# $HISTPRED_VENV; else .venv in the checkout; else, if the checkout is read-only, a folder in the user's cache.
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

# True if the environment is newer than the files it was made from, was made for this checkout and has the extras. If
# not, environment.py checks it more closely.
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
        fail "$root is no checkout of histpred" \
            "run bin/histpred where it lies in a checkout, or install the checkout: pip install CHECKOUT"

    unset PYTHONHOME PYTHONPATH
    export PYTHONNOUSERSITE=1
    choose_folder
    if is_ready; then exec "$venv/bin/python" "$venv/bin/$command" "$@"; fi

    find_python
    exec "$python" -I -B "$root/bin/environment.py" "$root" "$venv" "$extras" "$command" "$@"
}
