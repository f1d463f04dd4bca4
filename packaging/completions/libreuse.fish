# fish completion for libreuse(1).

set -l commands run check why audit watch arm free guard enable disable status help version

# The local ports of TCP sockets in a state (hexadecimal, as in /proc/net/tcp).
function __libreuse_ports
    for port in (cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | string match -rg -- '^ *\d+: [0-9A-F]+:([0-9A-F]{4}) \S+ '$argv[1]' ' | sort -u)
        printf '%d\n' 0x$port
    end
end

# Services: those of systemd, or those that are enabled.
function __libreuse_services
    systemctl list-units --all --plain --no-legend --no-pager --type=service 2>/dev/null | string replace -r ' .*' ''
end

function __libreuse_enabled
    set -l files /etc/systemd/system/*.d/50-libreuse.conf
    string replace -r '.*/(.*)\.d/[^/]*$' '$1' -- $files
end

# Whether one of these commands was given.
function __libreuse_is
    __fish_seen_subcommand_from $argv
end

# The program that run was given, and what follows: completed as if it stood alone.
function __libreuse_program
    set -l words (commandline -opc)
    set -e words[1..2]
    while set -q words[1]
        switch $words[1]
            case --
                set -e words[1]
                break
            case --log --format --level --ports --wait --swallowed
                set -e words[1]
            case '-*'
            case '*'
                break
        end
        set -e words[1]
    end
    set -q words[1]; and string join ' ' -- (string escape -- $words) (commandline -ct)
end

complete -c libreuse -f

set -l none "not __fish_seen_subcommand_from $commands"
complete -c libreuse -n $none -a run -d 'run a program with libreuse.so preloaded'
complete -c libreuse -n $none -a check -d 'can a program be, or is a process, preloaded?'
complete -c libreuse -n $none -a why -d 'why does bind() fail, and for how long?'
complete -c libreuse -n $none -a audit -d 'which servers on this host restart cleanly?'
complete -c libreuse -n $none -a watch -d 'see every failed bind() of this host'
complete -c libreuse -n $none -a arm -d 'make a running server restartable'
complete -c libreuse -n $none -a free -d 'remove the TIME_WAIT sockets of a port'
complete -c libreuse -n $none -a guard -d 'make what no preload reaches restartable'
complete -c libreuse -n $none -a enable -d 'preload it into a service of systemd'
complete -c libreuse -n $none -a disable -d 'no longer'
complete -c libreuse -n $none -a status -d 'which services have it, and is it in them?'
complete -c libreuse -n $none -a help -d 'the options of a command'
complete -c libreuse -n $none -a version -d 'the version'
complete -c libreuse -n '__libreuse_is help' -a "$commands"

complete -c libreuse -s h -l help -d 'show the help'
complete -c libreuse -s V -l version -d 'show the version'
complete -c libreuse -n '__libreuse_is run check why audit watch arm free guard enable disable status' -l json -d 'for programs'
complete -c libreuse -n '__libreuse_is audit' -l prometheus -d 'for the textfile collector'
complete -c libreuse -n '__libreuse_is run arm free guard enable disable' -s n -l dry-run -d 'only show what would be done'

complete -c libreuse -n '__libreuse_is run enable' -x -l log -a 'auto stderr journal syslog none' -d 'where reports go'
complete -c libreuse -n '__libreuse_is run enable' -x -l format -a 'text json' -d 'the form of reports'
complete -c libreuse -n '__libreuse_is run enable' -x -l level -a 'err warning notice info' -d 'the least that is reported'
complete -c libreuse -n '__libreuse_is run enable' -x -l ports -d 'only these ports'
complete -c libreuse -n '__libreuse_is run enable' -x -l wait -d 'how long bind() waits for a port'
complete -c libreuse -n '__libreuse_is run enable' -x -l swallowed -a 'log fail exit' -d 'what listen() does after a failed bind()'
complete -c libreuse -n '__libreuse_is run enable' -l explain -d 'look up who holds a port'
complete -c libreuse -n '__libreuse_is run enable' -l no-explain -d 'do not look up who holds a port'
complete -c libreuse -n '__libreuse_is run enable' -l report-only -d 'libreuse only reports there'

complete -c libreuse -n '__libreuse_is run' -s f -l force -d 'run it even where a preload cannot reach it'
complete -c libreuse -n '__libreuse_is run; and not test -n "$(__libreuse_program)"' -a '(__fish_complete_command)'
complete -c libreuse -n '__libreuse_is run; and test -n "$(__libreuse_program)"' -a '(complete -C (__libreuse_program))'
complete -c libreuse -n '__libreuse_is check' -a '(__fish_complete_command; __fish_complete_pids)'
complete -c libreuse -n '__libreuse_is why' -l udp -d 'a UDP port'
complete -c libreuse -n '__libreuse_is why' -l wait -d 'wait until it is free'
complete -c libreuse -n '__libreuse_is why' -a '(__libreuse_ports 0A; __libreuse_ports 06)'
complete -c libreuse -n '__libreuse_is arm' -x -l port -a '(__libreuse_ports 0A)' -d 'the sockets of a port'
complete -c libreuse -n '__libreuse_is arm' -x -l pid -a '(__fish_complete_pids)' -d 'the sockets of a process'
complete -c libreuse -n '__libreuse_is arm' -a '(__libreuse_ports 0A)'
complete -c libreuse -n '__libreuse_is free' -s y -l yes -d 'do not ask'
complete -c libreuse -n '__libreuse_is free' -a '(__libreuse_ports 06)'
complete -c libreuse -n '__libreuse_is watch' -x -l port -d 'only these ports'
complete -c libreuse -n '__libreuse_is watch' -x -l pid -a '(__fish_complete_pids)' -d 'only this process'
complete -c libreuse -n '__libreuse_is watch' -x -l unit -a '(__libreuse_services)' -d 'only this unit or container'
complete -c libreuse -n '__libreuse_is watch' -x -l for -d 'for how long'
complete -c libreuse -n '__libreuse_is watch' -l all -d 'not only TCP'
complete -c libreuse -n '__libreuse_is watch' -l journal -d 'to the journal'
complete -c libreuse -n '__libreuse_is watch' -l utc -d 'times in UTC'
complete -c libreuse -n '__libreuse_is enable' -l guard -d 'the same as libreuse guard on'
complete -c libreuse -n '__libreuse_is guard' -l host -d 'every control group'
complete -c libreuse -n '__libreuse_is guard; and not __libreuse_is on off' -a 'on off'
complete -c libreuse -n '__libreuse_is guard; and __libreuse_is on off' -a '(__libreuse_services)'
complete -c libreuse -n '__libreuse_is enable' -a '(__libreuse_services)'
complete -c libreuse -n '__libreuse_is disable status' -a '(__libreuse_enabled)'
