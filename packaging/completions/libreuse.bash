# bash completion for libreuse(1); needs nothing but bash.
# shellcheck shell=bash

# Fills COMPREPLY with those of the words that begin like the current one. Not with compgen -W, which
# takes the words for source text: a unit's name may have a backslash, or worse.
_libreuse_words() {
    local words word current=${2//\\\\/\\}
    read -rd '' -a words <<<"$1"
    for word in "${words[@]}"; do
        [[ $word != "$current"* ]] || COMPREPLY+=("$word")
    done
}

# Process IDs, or the local ports of TCP sockets in a state (hexadecimal, as in /proc/net/tcp).
_libreuse_pids() {
    local folder
    for folder in /proc/[0-9]*; do
        echo "${folder#/proc/}"
    done
}

_libreuse_ports() {
    local state=$1 line fields
    while read -r line; do
        read -ra fields <<<"$line"
        if [[ ${fields[3]} == "$state" ]]; then
            echo $((16#${fields[1]##*:}))
        fi
    done < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null) | sort -nu
}

# Services: those of systemd, or those that are enabled.
_libreuse_services() {
    systemctl list-units --all --plain --no-legend --no-pager --type=service 2>/dev/null |
        while read -r unit _; do
            echo "$unit"
        done
}

_libreuse_enabled() {
    local file
    for file in /etc/systemd/system/*.d/50-libreuse.conf; do
        [[ -e $file ]] || continue
        file=${file%.d/*}
        echo "${file##*/}"
    done
}

# The place of run's PROGRAM in COMP_WORDS, or nothing as long as it is not there.
_libreuse_program() {
    local i
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --)
            echo $((i + 1))
            return
            ;;
        --log | --format | --level | --ports | --wait | --swallowed)
            # bash takes --log=x for three words, readline for the first of them
            [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
            ((i++))
            ;;
        -*) ;;
        *)
            echo "$i"
            return
            ;;
        esac
    done
}

# The values of an option that run and enable have; false where it is none of those.
_libreuse_setting() {
    local current=$1 option=$2
    case $option in
    --log)
        _libreuse_words "auto stderr journal syslog none" "$current"
        [[ $current != /* ]] || mapfile -t COMPREPLY < <(compgen -f -- "$current")
        ;;
    --format) _libreuse_words "text json" "$current" ;;
    --level) _libreuse_words "err warning notice info" "$current" ;;
    --swallowed) _libreuse_words "log fail exit" "$current" ;;
    --ports | --wait) ;;
    *) return 1 ;;
    esac
}

_libreuse_run() {
    local current=$1 previous=$2 program
    program=$(_libreuse_program)
    if [[ -n $program && $program -lt $COMP_CWORD ]]; then
        if declare -F _command_offset >/dev/null; then
            _command_offset "$program" # as the bash-completion package completes for sudo
        else
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
        fi
        return
    fi
    if [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [[ $current == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 1]}
        current=
    fi
    if ! _libreuse_setting "$current" "$previous"; then
        if [[ $current == -* ]]; then
            _libreuse_words "--log --format --level --ports --wait --swallowed --explain
                --no-explain --report-only --force --dry-run --json --help --version" "$current"
        else
            mapfile -t COMPREPLY < <(compgen -c -f -- "$current")
        fi
    fi
}

_libreuse_enable() {
    local current=$1 previous=$2
    if [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    if [[ $current == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 1]}
        current=
    fi
    if ! _libreuse_setting "$current" "$previous"; then
        if [[ $current == -* ]]; then
            _libreuse_words "--dry-run --json --guard --log --format --level --ports --wait --swallowed --explain
                --no-explain --report-only --help --version" "$current"
        else
            _libreuse_words "$(_libreuse_services)" "$current"
        fi
    fi
}

_libreuse() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} common
    common="--help --version"
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _libreuse_words "run check why audit watch arm free guard enable disable status help version $common" "$current"
        return
    fi
    case ${COMP_WORDS[1]}:$current in
    run:*) _libreuse_run "$current" "$previous" ;;
    check:-*) _libreuse_words "--json $common" "$current" ;;
    check:[0-9]*) _libreuse_words "$(_libreuse_pids)" "$current" ;;
    check:*) mapfile -t COMPREPLY < <(compgen -c -f -- "$current") ;;
    why:*/*) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    why:-*) _libreuse_words "--udp --wait --json $common" "$current" ;;
    why:*) _libreuse_words "$(_libreuse_ports 0A; _libreuse_ports 06)" "$current" ;;
    help:*) _libreuse_words "run check why audit watch arm free guard enable disable status" "$current" ;;
    audit:*) _libreuse_words "--json --prometheus $common" "$current" ;;
    watch:*)
        _libreuse_words "--port= --pid= --unit= --all --for= --json --journal --utc $common" "$current"
        ;;
    arm:-*) _libreuse_words "--port= --pid= --dry-run --json $common" "$current" ;;
    arm:*) _libreuse_words "$(_libreuse_ports 0A)" "$current" ;;
    free:-*) _libreuse_words "--yes --dry-run --json $common" "$current" ;;
    free:*) _libreuse_words "$(_libreuse_ports 06)" "$current" ;;
    guard:-*) _libreuse_words "--host --dry-run --json $common" "$current" ;;
    guard:*)
        if ((COMP_CWORD == 2)); then
            _libreuse_words "on off" "$current"
        else
            _libreuse_words "$(_libreuse_services)" "$current"
        fi
        ;;
    enable:*) _libreuse_enable "$current" "$previous" ;;
    disable:-*) _libreuse_words "--dry-run --json $common" "$current" ;;
    status:-*) _libreuse_words "--json $common" "$current" ;;
    disable:* | status:*) _libreuse_words "$(_libreuse_enabled)" "$current" ;;
    esac
}

complete -o filenames -F _libreuse libreuse
