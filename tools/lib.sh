# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Shared by the scripts in tools/: where things live, progress, failure.
# Progress goes to stderr, so that a script's stdout stays free for its result.

set -Eeuo pipefail
report_error()
{
	# Only where it ends the script: "set +e" sections look at the status themselves
	[[ $- != *e* ]] || echo "$0:$1: failed: ${2%%$'\n'*}" >&2
}
trap 'report_error "$LINENO" "$BASH_COMMAND"' ERR

TOP=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

home_dir()
{
	# CI runners and "env -i make" leave HOME unset.
	local entry
	entry=$(getent passwd "$(id -u)" || true)
	entry=${entry%:*}
	echo "${HOME:-${entry##*:}}"
}

CACHE=${DRM_SVM_CACHE:-${XDG_CACHE_HOME:-$(home_dir)/.cache}/drm_svm}

# Every checkout has a build directory of its own in the cache, because the
# sources may be read-only and because two checkouts must not share objects. Nor must two
# kernels: one that is asked for by KERNEL_VERSION has another directory.
BUILD=$CACHE/build/$(basename "$TOP")-$(printf %s "$TOP" | sha256sum | cut -c1-10)
BUILD+=${KERNEL_VERSION:+-$KERNEL_VERSION}
LOGS=$BUILD/log

say()
{
	printf '[%4d s] %s\n' "$SECONDS" "$*" >&2
}

die()
{
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit "${DIE_STATUS:-1}"
}

# Shows that a long step is alive, with the last line that it logged: in place
# on a terminal, as a plain line every ten seconds elsewhere.
ticker()
{
	local title=$1 log=$2 begin=$SECONDS last period=10
	[ -t 2 ] && period=1
	# Sleeps without a child that would outlive it and hold the locks
	while ! read -rt "$period" <> <(:); do
		kill -0 $$ 2>/dev/null || return 0
		last=$(tail -c 400 "$log" 2>/dev/null | tr -c '[:print:]\n' ' ' |
			grep -v '^ *$' | tail -n 1 | cut -c 1-60 || true)
		if [ -t 2 ]; then
			printf '\r\033[K[%4d s]   %s (%d s) %s' \
				"$SECONDS" "$title" $((SECONDS - begin)) "$last" >&2
		else
			say "  $title: $((SECONDS - begin)) s so far; $last"
		fi
	done
}

# step TITLE HINT COMMAND...: run one step with its output in a log; HINT says
# what to do should it fail.
step()
{
	local title=$1 hint=$2 log status=0 begin=$SECONDS ticker
	shift 2
	mkdir -p "$LOGS"
	log=$LOGS/$(printf %s "$title" | tr -cs 'A-Za-z0-9' '-').log
	say "$title ..."
	ticker "$title" "$log" &
	ticker=$!
	set +e
	(set -e; "$@") >"$log" 2>&1 </dev/null
	status=$?
	set -e
	kill "$ticker" 2>/dev/null
	wait "$ticker" 2>/dev/null || true
	[ -t 2 ] && printf '\r\033[K' >&2
	if [ "$status" -eq 0 ]; then
		say "$title: done in $((SECONDS - begin)) s"
		return 0
	fi
	say "FAILED: $title (status $status). The end of its log, $log:"
	tail -n 40 "$log" | sed 's/^/    /' >&2
	say "What to do: $hint"
	exit "$status"
}

# The series that tools/kernels lists, newest first, on one line
known_kernels()
{
	sed 's/#.*//' "$TOP/tools/kernels" | xargs
}

# Whether a release, such as X.Y.Z+deb13-amd64, is of a series that is known to work
is_known_kernel()
{
	local series
	for series in $(known_kernels); do
		[[ $1 != "$series"[.+-]* ]] || return 0
	done
	return 1
}

# matches NAME GLOB...: whether one of the globs is it
matches()
{
	local name=$1 glob
	shift
	for glob; do
		# shellcheck disable=SC2053 # a glob is what it is
		[[ $name != $glob ]] || return 0
	done
	return 1
}

# Only one of several concurrent builders does the work; the rest wait for it.
# with_lock NAME COMMAND...
with_lock()
{
	local name=$1 fd
	shift
	mkdir -p "$(dirname "$CACHE/lock/$name")"
	exec {fd}>"$CACHE/lock/$name"
	if ! flock -n "$fd"; then
		say "waiting for another build ($name) ..."
		flock "$fd"
	fi
	"$@"
	exec {fd}>&-
}

# in_tree ROOTFS COMMAND...: run COMMAND in the guest's tree, with the guest's
# own tool chain. A private mount namespace, so nothing has to be unmounted:
# the checkout is read-only at /src and the build directory writable at /build;
# IN_TREE_KERNEL, if set, is read-only at /tmp/kernel.
in_tree()
{
	local tree=$1/tree
	shift
	mkdir -p "$BUILD"
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount --propagation private sh -ec '
		tree=$1 top=$2 build=$3 kernel=$4
		shift 4
		mount --bind "$tree" "$tree"
		mount -o remount,bind,ro "$tree"
		mount --rbind /dev "$tree/dev"
		mount -t proc proc "$tree/proc"
		mount -t tmpfs -o mode=1777 tmpfs "$tree/tmp"
		mount --bind "$top" "$tree/src"
		mount -o remount,bind,ro "$tree/src"
		mount --bind "$build" "$tree/build"
		if [ -n "$kernel" ]; then
			mkdir "$tree/tmp/kernel"
			mount --bind "$kernel" "$tree/tmp/kernel"
			mount -o remount,bind,ro "$tree/tmp/kernel"
		fi
		exec chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			HOME=/tmp LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 "$@"
	' in_tree "$tree" "$TOP" "$BUILD" "${IN_TREE_KERNEL:-}" "$@"
}

# kernel_dir NAME: the directory with vmlinuz, release and modules/ of a kernel.
# "stock" is Debian's, in the root file system's directory; "debug" is built when
# it is asked for. A kernel built from source has a directory of its own with the
# same things in it, and build/ with what its modules are built against.
kernel_dir()
{
	local name=$1 rootfs=$2 dir names='stock debug coverage'
	case $name in
	stock) dir=$rootfs ;;
	debug | coverage) dir=$("$TOP/tools/kernel-debug") ;;
	*) dir=$CACHE/kernel-$name ;;
	esac
	if [ ! -e "$dir/vmlinuz" ]; then
		for dir in "$CACHE"/kernel-*/vmlinuz; do
			[ -e "$dir" ] || continue
			dir=${dir%/vmlinuz}
			names+=" ${dir##*/kernel-}"
		done
		die "no kernel '$name' here; there is: $names"
	fi
	echo "$dir"
}
