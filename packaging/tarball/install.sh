#!/bin/sh
# Installs libreuse on a host without a package of it, checks that the library loads, and removes it
# again. Needs nothing but a POSIX shell and its usual tools.
set -euf
umask 022

# Installed, too: this script and its list, so that the tarball is not needed to uninstall, and a list
# of the folders that were made, the deepest first. An installed copy knows where it is.
own=share/libreuse
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
prefix=/usr/local
case $here in
*/$own) [ ! -f "$here/FILES" ] || [ -d "$here/bin" ] || prefix=${here%/"$own"} ;;
esac
action=install

usage() {
    echo "Usage: ./install.sh [--prefix FOLDER] [--uninstall]"
    echo
    echo "  --prefix FOLDER   where to install to, and what to remove it from; $prefix if not given"
    echo "  --uninstall       remove what was installed"
}

fail() {
    printf 'install.sh: %s\n' "$*" >&2
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
given=$prefix
while [ "$prefix" != "${prefix%/}" ]; do prefix=${prefix%/}; done
case $prefix in
*[[:space:]:\$]*) fail "--prefix $prefix: LD_PRELOAD cannot name a folder with a blank, : or \$" ;;
*[*?[\\]*) fail "--prefix $prefix: expected a folder without * ? [ and backslash" ;;
/?*) ;;
*) fail "--prefix $given: expected an absolute path, and not /" ;;
esac

# Removes the files of a list and the folders that were made. The installed list goes last, and only
# if nothing failed, so that this can be repeated.
remove() {
    folders=$(cat "$prefix/$own/FOLDERS" 2>/dev/null || :)
    failed=0
    for file in $1 $own/install.sh $own/FOLDERS; do
        rm -f "$prefix/$file" "$prefix/$file.new" || failed=1
    done
    [ $failed = 0 ] || return 1
    rm -f "$prefix/$own/FILES" "$prefix/$own/FILES.new" || return 1
    remove_folders "$folders"
}

# Those that are empty: others may use them by now.
remove_folders() {
    for folder in $1; do
        rmdir "$folder" 2>/dev/null || :
    done
}

make_folder() {
    [ ! -d "$1" ] || return 0
    make_folder "$(dirname "$1")"
    mkdir "$1" || cannot_write "$1"
    made="$1${made:+
$made}"
}

# Writes a text to a file, or leaves the file as it is.
write() {
    { printf '%s\n' "$2" >"$1.new" && mv -f "$1.new" "$1"; } || cannot_write "$1"
}

cannot_write() {
    fail "$1: cannot be written, for the reason above. It takes the right to do so (as root, or in a" \
        "folder of yours: --prefix \$HOME/libreuse) and space in the file system"
}

# Whether a list has a name.
has() {
    case "
$1
" in
    *"
$2
"*) return 0 ;;
    esac
    return 1
}

# What is to do when the installation ends early: an older one stays as it was, of a first one
# nothing stays.
undo() {
    trap '' HUP INT TERM
    [ -d "$prefix/$own" ] || {
        remove_folders "$made"
        return
    }
    for file in $new $own/install.sh $own/FOLDERS $own/FILES; do
        rm -f "$prefix/$file.new" || :
    done
    [ "$upgrade" = yes ] || remove "$placed" || :
    remove_folders "$made"
}

# Whether a program, started with its arguments behind the library's path, has the library in its map.
is_loaded_into() {
    LD_PRELOAD=$1
    export LD_PRELOAD
    shift
    "$@" /proc/self/maps 2>/dev/null | LD_PRELOAD='' grep -q "libreuse\.so"
}

# Tries the copied library, before it is the installed one, on programs that every host has one of.
# Static ones cannot be reached.
check() {
    library=$prefix/lib/libreuse.so
    failed=
    for program in /bin/cat "/bin/busybox cat" "/usr/bin/awk 1" "/bin/sed p"; do
        [ -x "${program%% *}" ] || continue
        # shellcheck disable=SC2086 # the words of a command
        if (is_loaded_into "$library.new" $program); then
            echo "$library: loads, seen in ${program%% *}"
            return 0
        fi
        if "$prefix/bin/libreuse.new" check "${program%% *}" >/dev/null 2>&1; then
            failed=${program%% *}
        fi
    done
    if [ -n "$failed" ]; then
        LD_PRELOAD=$library.new "$failed" --help 2>&1 >/dev/null | head -n 1 >&2 || :
        fail "$library: not loaded into $failed; nothing is changed." \
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

# All files are copied beside the old ones and tried there, and then take their places: renamed, not
# overwritten, because a server may be running with the old library. The installed list names what
# may be there at every moment.
install_all() {
    new=$(cat "$here/FILES")
    old=$(cat "$prefix/$own/FILES" 2>/dev/null || :)
    made=$(cat "$prefix/$own/FOLDERS" 2>/dev/null || :)
    upgrade=no
    [ ! -f "$prefix/$own/FILES" ] || upgrade=yes
    placed=
    dropped=
    for file in $old; do
        has "$new" "$file" || dropped="$dropped
$file"
    done
    trap undo EXIT
    trap 'exit 1' HUP INT TERM

    make_folder "$prefix/$own"
    write "$prefix/$own/FOLDERS" "$made"
    write "$prefix/$own/FILES" "$new$dropped"
    for file in $new; do
        make_folder "$(dirname "$prefix/$file")"
        [ ! -d "$prefix/$file" ] || fail "$prefix/$file: is a folder"
    done
    write "$prefix/$own/FOLDERS" "$made"
    for file in $new; do
        cp "$here/$file" "$prefix/$file.new" || cannot_write "$prefix/$file"
    done
    for file in install.sh FILES; do
        cp "$here/$file" "$prefix/$own/$file.new" || cannot_write "$prefix/$own/$file"
    done
    "$prefix/bin/libreuse.new" --version >/dev/null || does_not_start "$prefix/bin/libreuse"
    check

    for file in $new $own/install.sh; do
        mv -f "$prefix/$file.new" "$prefix/$file" || cannot_write "$prefix/$file"
        placed="$placed $file"
    done
    for file in $dropped; do
        rm -f "$prefix/$file" || fail "$prefix/$file: of the older version, cannot be removed"
    done
    mv -f "$prefix/$own/FILES.new" "$prefix/$own/FILES" || cannot_write "$prefix/$own/FILES"
    trap - EXIT HUP INT TERM
}

does_not_start() {
    fail "$1 does not start; nothing is changed. Is this the tarball for the machine ($(uname -m))," \
        "and $prefix not mounted noexec?"
}

if [ "$action" = uninstall ]; then
    [ -f "$prefix/$own/FILES" ] ||
        fail "libreuse is not installed in $prefix by install.sh; give --prefix"
    remove "$(cat "$prefix/$own/FILES")" || fail "$prefix: not all could be removed, for the reason above"
    echo "libreuse is removed from $prefix. Servers that run with it keep it until they are restarted."
    echo "Take LD_PRELOAD out of their units and start scripts, else the loader complains at every start."
    exit
fi
[ -f "$here/bin/libreuse" ] || fail "this installed copy is for --uninstall; to install, run the tarball's"
[ -r "$here/FILES" ] || fail "$here/FILES: not there; run the install.sh of the unpacked tarball"
# Where the tarball is unpacked, programs may be forbidden (126); then the copy is what is tried.
status=0
"$here/bin/libreuse" --version >/dev/null 2>&1 || status=$?
[ $status = 0 ] || [ $status = 126 ] || does_not_start "$here/bin/libreuse"
install_all
check_32
echo "libreuse is installed. Use it like this:"
echo "    LD_PRELOAD=$prefix/lib/libreuse.so ./server1"
echo "or  $prefix/bin/libreuse run ./server1"
! command -v journalctl >/dev/null || echo "For explanations by journalctl -x: journalctl --update-catalog"
echo "To remove it: $prefix/$own/install.sh --uninstall"
