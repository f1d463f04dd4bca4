#!/bin/sh
# Installs libreuse on a host without a package of it, checks that the library loads, and removes it
# again. Needs nothing but a POSIX shell and its usual tools.
set -eu
umask 022

prefix=/usr/local
action=install

usage() {
    echo "Usage: ./install.sh [--prefix FOLDER] [--uninstall]"
    echo
    echo "  --prefix FOLDER   where to install to, and what to remove it from; $prefix if not given"
    echo "  --uninstall       remove what was installed"
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
        [ $# -ge 2 ] || fail "--prefix: expected a folder behind it, like --prefix /opt/libreuse"
        prefix=$2
        shift
        ;;
    --prefix=*) prefix=${1#--prefix=} ;;
    --uninstall) action=uninstall ;;
    -h | --help)
        usage
        exit
        ;;
    *) fail "$1: no such option; try ./install.sh --help" ;;
    esac
    shift
done
case $prefix in
*[[:space:]:\$]*) fail "--prefix $prefix: LD_PRELOAD cannot name a folder with a blank, : or \$" ;;
/?*) prefix=${prefix%/} ;;
*) fail "--prefix $prefix: expected an absolute path" ;;
esac

# Installed, too: this script and its list, so that the tarball is not needed to uninstall, and a list
# of the folders that were made, the deepest first.
own=share/libreuse
here=$(cd "$(dirname "$0")" && pwd)
[ -r "$here/FILES" ] || fail "$here/FILES: not there; run the install.sh of the unpacked tarball," \
    "or $prefix/$own/install.sh"

remove() {
    folders=$(cat "$prefix/$own/FOLDERS" 2>/dev/null || :)
    # shellcheck disable=SC2013 # no name in the list has a blank
    for file in $(cat "$here/FILES") $own/install.sh $own/FILES $own/FOLDERS; do
        rm -f "$prefix/$file"
    done
    for folder in $folders; do
        rmdir "$folder" 2>/dev/null || : # others may use it by now
    done
}

make_folder() {
    [ ! -d "$1" ] || return 0
    make_folder "$(dirname "$1")"
    mkdir "$1" 2>/dev/null || cannot_write "$1"
    made="$1
$made"
}

cannot_write() {
    fail "$1: cannot be written; run this as root, or give a folder of yours: --prefix \$HOME/libreuse"
}

# Whether a program, started with its arguments behind the library's path, has the library in its map.
is_loaded_into() {
    LD_PRELOAD=$1
    export LD_PRELOAD
    shift
    "$@" /proc/self/maps 2>/dev/null | LD_PRELOAD='' grep -q "libreuse\.so"
}

# Tries the library on programs that every host has one of. Static ones cannot be reached.
check() {
    library=$prefix/lib/libreuse.so
    failed=
    for program in /bin/cat "/bin/busybox cat" "/usr/bin/awk 1" "/bin/sed p"; do
        [ -x "${program%% *}" ] || continue
        # shellcheck disable=SC2086 # the words of a command
        if (is_loaded_into "$library" $program); then
            echo "$library: loads, seen in ${program%% *}"
            return 0
        fi
        if "$prefix/bin/libreuse" check "${program%% *}" >/dev/null 2>&1; then
            failed=${program%% *}
        fi
    done
    if [ -n "$failed" ]; then
        remove
        LD_PRELOAD=$library "$failed" --help 2>&1 >/dev/null | head -n 1 >&2 || :
        fail "$library: not loaded into $failed; what was installed is removed again." \
            "Is $prefix on a file system that is mounted noexec?"
    fi
    echo "$library: not tried, for want of a program that is not static"
}

# The second library of x86-64 hosts, if they have a loader for it.
check_32() {
    library=$prefix/lib32/libreuse.so
    loader=/lib/ld-linux.so.2
    [ -f "$library" ] && [ -x $loader ] || return 0
    if reason=$($loader --list "$library" 2>&1); then
        echo "$library: loads, for 32-bit servers"
    else
        echo "$library: does not load, so 32-bit servers cannot use it: $reason" >&2
    fi
}

install_all() {
    made=$(cat "$prefix/$own/FOLDERS" 2>/dev/null || :)
    make_folder "$prefix/$own"
    echo "$made" >"$prefix/$own/FOLDERS" || cannot_write "$prefix/$own/FOLDERS"
    # shellcheck disable=SC2013
    for file in $(cat "$here/FILES"); do
        make_folder "$(dirname "$prefix/$file")"
        echo "$made" >"$prefix/$own/FOLDERS"
        # Renamed, not overwritten: a server may be running with the old library.
        { cp "$here/$file" "$prefix/$file.new" && mv -f "$prefix/$file.new" "$prefix/$file"; } ||
            cannot_write "$prefix/$file"
    done
    cp "$here/install.sh" "$here/FILES" "$prefix/$own/"
    "$prefix/bin/libreuse" --version >/dev/null || {
        remove
        fail "$prefix/bin/libreuse does not start; what was installed is removed again." \
            "Is this the tarball for the machine ($(uname -m)), and $prefix not mounted noexec?"
    }
}

if [ "$action" = uninstall ]; then
    remove
    echo "libreuse is removed from $prefix. Servers that run with it keep it until they are restarted."
    echo "Take LD_PRELOAD out of their units and start scripts, else the loader complains at every start."
    exit
fi
[ -f "$here/bin/libreuse" ] || fail "this installed copy is for --uninstall; to install, run the tarball's"
install_all
check
check_32
echo "libreuse is installed. Use it like this:"
echo "    LD_PRELOAD=$prefix/lib/libreuse.so ./server1"
echo "or  $prefix/bin/libreuse run ./server1"
! command -v journalctl >/dev/null || echo "For explanations by journalctl -x: journalctl --update-catalog"
echo "To remove it: $prefix/$own/install.sh --prefix $prefix --uninstall"
