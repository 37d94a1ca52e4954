#!/bin/sh
# Prints a version's section of CHANGELOG.md: scripts/release-notes.sh 1.2.3. Fails where there is none.
set -eu

[ $# -eq 1 ] || {
    echo "usage: $0 VERSION" >&2
    exit 2
}
notes=$(awk -v wanted="$1" '
    /^## / { inside = ($2 == wanted); next }
    inside { print }
' "$(dirname "$0")/../CHANGELOG.md")
[ -n "$notes" ] || {
    echo "CHANGELOG.md has no section '## $1', or it is empty." >&2
    exit 1
}
printf '%s\n' "$notes"
