#!/bin/bash
# Makes golden vectors with the ostree of this machine: golden.sh OUTPUT. Everything that reaches a checksum is pinned.
set -euo pipefail
umask 022
out=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
mkdir -p "$tree"/usr/bin "$tree"/usr/etc/empty "$tree/usr/odd names"
printf 'hello\n' >"$tree"/usr/bin/hello
printf '#!/bin/sh\n' >"$tree"/usr/bin/suid
: >"$tree"/usr/etc/nothing
ln -s bin/hello "$tree"/usr/link
ln -s nowhere "$tree/usr/odd names/dangling"
for name in 'a b' 'süß' '-dash' 'back\slash' '[glob]*?' 'tab	tab'; do printf '%s' "$name" >"$tree/usr/odd names/$name"; done
head -c 70000 /dev/zero >"$tree"/usr/zeroes
for n in $(seq 300); do printf same >"$tree/usr/etc/empty/file-$n"; done
setfattr -n user.rootling -v value "$tree"/usr/bin/hello
setfattr -n user.empty -v '' "$tree"/usr/bin/hello
find "$tree" -type d -exec chmod 0755 {} +
find "$tree" -type f -exec chmod 0644 {} +
chmod 4755 "$tree"/usr/bin/suid
chmod 1777 "$tree"/usr/etc/empty
commit() { # SUBJECT TIME ARGUMENTS
  ostree --repo="$out"/repo commit --branch=os/golden --owner-uid=0 --owner-gid=0 --subject="$1" --body="body of $1" \
    --timestamp="@$2" --tree=dir="$tree" "${@:3}" >>"$out"/commits.txt
}
ostree --repo="$out"/repo init --mode=archive
commit first 1700000000 --add-metadata-string=version=1 --add-detached-metadata-string=note=detached
printf 'changed\n' >"$tree"/usr/bin/hello
rm "$tree"/usr/link
commit second 1700000001 --add-metadata-string=version=2 --add-metadata='numbers=<[uint32 1, 2, 3]>' \
  --add-metadata='nested=<{"a": <("x", uint64 5, true)>}>'
ostree --repo="$out"/repo summary -u
ostree --repo="$out"/repo ls -R -X -C os/golden >"$out"/ls.txt
ostree --repo="$out"/repo show --raw os/golden >"$out"/commit.txt
cd "$out"
find . -name .lock -delete
rm -rf repo/tmp
find . -type d -empty -delete
