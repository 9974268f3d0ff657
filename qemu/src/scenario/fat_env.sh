#!/bin/sh
# In the guest: a device in a folder whose U-Boot keeps its environment on a FAT, which is all of /dev/vdb but its end.
# A line there cuts the log of its writes.
set -e
device=/var/device fat=/var/device/boot/firmware
agent() { $AGENT --sysroot $device "$@"; }

mark() {
	# past the page cache: a flush of it would do the agent's work; read back, or it may be on its way still
	printf %-512s "ROOTLING-MARK $*" | dd of=/dev/vdb bs=512 seek=65536 oflag=direct 2>/dev/null
	dd if=/dev/vdb bs=512 skip=65536 count=1 iflag=direct 2>/dev/null | grep -q "^ROOTLING-MARK $* "
}

deployment() { echo $device/ostree/deploy/os/deploy/$1.0; }

# as if the loader had booted it
runs() {
	mkdir -p $device/proc/1
	ln -sfn $(deployment $1) $device/proc/1/root
}

# one variable, whose value keeps its length, as U-Boot would
setenv() {
	tail -c +5 $fat/uboot.env | tr '\0' '\n' | sed "s/^$1=.*/$1=$2/" | tr '\n' '\0' >/run/vars
	# gzip ends with the checksum that the environment begins with
	{ gzip -c /run/vars | tail -c 8 | head -c 4; cat /run/vars; } >/run/env
	dd if=/run/env of=$fat/uboot.env conv=notrunc,fsync 2>/dev/null
}

what=$1
shift
case $what in
install)
	# URL, REF, COMMIT, flags
	url=$1 ref=$2 commit=$3
	shift 3
	mkdir $device
	agent init os
	agent remote add origin $url "$@"
	agent pull origin $ref
	agent deploy origin:$ref --karg=root=LABEL=x
	mkdir -p $fat
	mount -t vfat /dev/vdb $fat
	echo "/boot/firmware/uboot.env 0 0x2000" >$(deployment $commit)/etc/fw_env.config
	agent boot install u-boot
	runs $commit
	;;
logged)
	# NAME, the agent's words
	name=$1
	shift
	sync
	mark begin $name
	agent "$@"
	mark end $name
	;;
runs) runs $1 ;;
agent) agent "$@" ;;
setenv) setenv $1 $2 ;;
esac
