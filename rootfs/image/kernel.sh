#!/usr/bin/env bash
# usage: rootfs/image/kernel.sh NAME
#
# Prints a folder with Debian's kernel for the target NAME: vmlinuz, and the modules named in modules.txt below lib/modules, among them
# simulators of hardware. Debian's kernels do not have those; they are compiled here from the source package of that same kernel. No
# source is kept. What is made is cached by the versions of the packages and by this recipe.
set -euo pipefail
cd "$(dirname "$0")/../.."
. rootfs/image/lib.sh

simulators=(
	kernel/irq/irq_sim.c
	drivers/gpio/{gpio-sim,gpio-mockup,gpio-virtuser,gpio-aggregator}.{c,h} drivers/i2c/i2c-stub.c drivers/leds/uleds.c drivers/rtc/rtc-test.c
	drivers/power/supply/test_power.c drivers/pwm/pwm-gpio.c
	drivers/iio/dummy drivers/iio/industrialio-sw-device.c
)

# resolve: the kernel's release and the versions of everything that is fetched.
resolve() {
	suite=$(kernel_suite)
	host=$(dpkg --print-architecture)
	lists "$host" "$suite"
	host_lists=$APT_CONFIG
	lists "$debian" "$suite"
	release=$(apt-cache depends "linux-image-$kernel" | awk '/Depends: linux-image-/ { print $2; exit }')
	release=${release#linux-image-}
	[ -n "$release" ] || die "$suite has no linux-image-$kernel for $debian"
	base=${release%-*}
	version=$(apt-cache show "linux-image-$release" | awk '/^Version:/ { print $2; exit }')
}

fetch() {
	mkdir "$work/debs" "$work/root"
	(
		cd "$work/debs"
		apt-get -qq download "linux-image-$release=$version" "linux-headers-$release=$version" "linux-headers-$base-common=$version"
		APT_CONFIG=$host_lists apt-get -qq download "linux-kbuild-$base=$version" "linux-source-${release%%.*}.$(echo "$release" | cut -d. -f2)=$version"
	) >&2 || die "a package of the kernel $release could not be fetched; are the architectures of $suite at the same version?"
	for package in "$work"/debs/*.deb; do
		dpkg-deb -x "$package" "$work/root"
		rm "$package"
	done
}

# mend_headers: they look for each other at absolute paths.
mend_headers() {
	headers=$work/root/usr/src/linux-headers-$release
	grep -rlI /usr/src/linux-headers "$headers"/{Makefile,.kernelvariables} 2>/dev/null |
		xargs -r sed -i "s,\([ =]\)/usr/src/linux-headers,\1$work/root/usr/src/linux-headers,g"
	for link in scripts tools; do
		[ -L "$headers/$link" ] && ln -sfn "$work/root/usr/lib/linux-kbuild-$base/$link" "$headers/$link"
	done
	return 0
}

# unpack_sources: those files alone, into one folder. Which of the patterns a kernel has differs.
unpack_sources() {
	mkdir "$work/all" "$work/sim"
	tar -C "$work/all" --strip-components=1 --no-same-owner -xf "$work"/root/usr/src/linux-source-*.tar.xz \
		--no-anchored "${simulators[@]}" 2>"$work/tar.log" || true
	find "$work/all" -type f -name '*.[ch]' -exec cp {} "$work/sim/" \;
	rm -r "$work/all"
	cp rootfs/image/simulators.mk "$work/sim/Makefile"
	# irq_to_desc is not for modules; generic_handle_irq_safe does the same.
	sed -i 's/handle_simple_irq(irq_to_desc(irqnum))/generic_handle_irq_safe(irqnum)/' "$work/sim/irq_sim.c"
	echo 'MODULE_LICENSE("GPL");' >>"$work/sim/irq_sim.c"
	# A 64-bit modpost misjudges the size of a 32-bit target's of_device_id.
	[ "$goarch" = arm64 ] || sed -i 's,^MODULE_DEVICE_TABLE(of,// &,' "$work"/sim/*.c
}

compile() {
	make -j"$(nproc)" -C "$headers" M="$work/sim" ARCH="$goarch" CROSS_COMPILE="$triplet-" CONFIG_DEBUG_INFO_BTF_MODULES= \
		modules >"$work/make.log" 2>&1 || { tail -40 "$work/make.log" >&2; die "the simulators do not compile for $release"; }
}

# collect: into $work/new, the modules that are asked for with all that they need.
collect() {
	local from=$work/root module file
	[ -d "$from/lib/modules" ] || { mkdir -p "$from/lib" && ln -s ../usr/lib/modules "$from/lib/modules"; }
	mkdir -p "$from/lib/modules/$release/updates" "$work/new/lib/modules/$release"
	cp "$work"/sim/*.ko "$from/lib/modules/$release/updates/"
	depmod -b "$from" "$release"
	for module in $(grep -v '^#' rootfs/image/modules.txt); do
		modprobe -d "$from" -S "$release" --show-depends "$module" 2>/dev/null || echo "$release has no module $module" >&2
	done | awk '$1 == "insmod" { print $2 }' | sort -u >"$work/modules"
	while read -r file; do
		install -D -m 0644 "$file" "$work/new/lib/modules/$release/${file#*/lib/modules/"$release"/}"
	done <"$work/modules"
	cp "$from/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$work/new/lib/modules/$release/"
	depmod -b "$work/new" "$release"
	cp "$from/boot/vmlinuz-$release" "$work/new/vmlinuz"
	echo "$release" >"$work/new/release"
}

[ $# = 1 ] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
enter "$1"
resolve
name=kernel-$1-$(echo "$release $version" | key rootfs/image/{kernel.sh,lib.sh,modules.txt,simulators.mk})
if ! [ -d "$cache/$name" ]; then
	need "$triplet-gcc" "gcc-$triplet" "the modules of $1" || die "${absent[*]}"
	need modprobe kmod "the modules of $1" || die "${absent[*]}"
	need make make "the modules of $1" || die "${absent[*]}"
	need xz xz-utils "the kernel's sources" || die "${absent[*]}"
	echo "making the kernel $release for $1" >&2
	fetch
	mend_headers
	unpack_sources
	compile
	collect
	keep "$name"
else
	echo "$cache/$name"
fi
