# Turns a fresh Debian root file system ($1) into the guest: an ordinary user with lingering and subordinate ids, the
# controllers of cgroup v2 delegated to the user's systemd, a service that runs one command in a login session of that
# user, and a small initrd. Run by mmdebstrap as a customize hook; needs nothing of the host.
set -eu
root=$1

chroot "$root" useradd --create-home --uid 1000 --shell /bin/sh dev
grep -q '^dev:' "$root/etc/subuid" || echo dev:100000:65536 >>"$root/etc/subuid"
grep -q '^dev:' "$root/etc/subgid" || echo dev:100000:65536 >>"$root/etc/subgid"
mkdir -p "$root/var/lib/systemd/linger"
: >"$root/var/lib/systemd/linger/dev"
echo guest >"$root/etc/hostname"
echo '127.0.0.1 localhost guest' >"$root/etc/hosts"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
: >"$root/etc/fstab"
mkdir "$root/project"

units=$root/etc/systemd/system
mkdir -p "$units/user@.service.d" "$units/multi-user.target.wants" "$root/etc/systemd/journald.conf.d"
cat >"$units/user@.service.d/delegate.conf" <<'UNIT'
[Service]
Delegate=cpu cpuset io memory pids
UNIT
printf '[Journal]\nStorage=volatile\n' >"$root/etc/systemd/journald.conf.d/volatile.conf"

cat >"$units/guest-command.service" <<'UNIT'
[Unit]
Wants=user@1000.service
After=user@1000.service systemd-user-sessions.service systemd-logind.service
[Service]
Type=oneshot
User=dev
PAMName=login
WorkingDirectory=/project
StandardInput=null
StandardOutput=file:/dev/virtio-ports/stdout
StandardError=file:/dev/virtio-ports/stderr
ExecStart=/bin/sh -l /project/.guest-command
UNIT

# Starts when the command has ended, be it as it may.
cat >"$units/guest-end.service" <<'UNIT'
[Unit]
After=guest-command.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'systemctl show --value -p ExecMainCode -p ExecMainStatus guest-command.service | xargs >/dev/virtio-ports/status; echo o >/proc/sysrq-trigger; sleep 60'
UNIT
ln -s ../guest-command.service ../guest-end.service "$units/multi-user.target.wants/"

# What a throw-away machine has no use for; under emulation each costs a good part of a second.
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
  e2scrub_reap.service getty.target getty-static.service console-getty.service systemd-pstore.service \
  systemd-random-seed.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
  systemd-journal-flush.service systemd-sysusers.service systemd-tmpfiles-clean.timer systemd-timesyncd.service \
  systemd-machine-id-commit.service systemd-modules-load.service kmod-static-nodes.service modprobe@.service \
  dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
  sys-fs-fuse-connections.mount systemd-binfmt.service systemd-remount-fs.service \
  systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service \
  proc-sys-fs-binfmt_misc.automount; do
  ln -sf /dev/null "$units/$unit"
done
for folder in system user; do
  mkdir -p "$root/etc/systemd/$folder-generators"
  for generator in "$root/lib/systemd/$folder-generators"/*; do
    [ -e "$generator" ] && ln -s /dev/null "$root/etc/systemd/$folder-generators/${generator##*/}"
  done
done

# The initrd: busybox, the modules on the way to the disks, and those that the tests use.
version=$(ls "$root/lib/modules")
initrd=$root/tmp/initrd
mkdir -p "$initrd/bin" "$initrd/modules"
cp "$root/bin/busybox" "$initrd/bin/busybox"
for module in virtio_pci virtio_blk virtio_console virtio_rng ext4 fuse tun overlay veth bridge; do
  chroot "$root" modprobe --set-version "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$initrd/list"
while read -r module; do
  cp "$root$module" "$initrd/modules/"
  echo "${module##*/}" >>"$initrd/order"
done <"$initrd/list"
cat >"$initrd/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /root
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
while read -r module; do insmod "/modules/$module" || echo "cannot load $module"; done </order
await() { # PATTERN, which one file matches in the end
  tries=0
  until [ -e $1 ]; do
    tries=$((tries + 1))
    [ $tries -lt 500 ] || { echo "no $1"; echo o >/proc/sysrq-trigger; sleep 60; }
    usleep 10000
  done
}
await /dev/vda
await /dev/vdb
await '/sys/class/virtio-ports/vport*p3/name'
mount -t ext4 -o noatime /dev/vda /root
mount -t ext4 -o noatime /dev/vdb /root/project
# What udev does elsewhere: names for the ports, devices for everybody.
mkdir /dev/virtio-ports
for port in /sys/class/virtio-ports/*; do ln -s "../${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"; done
mkdir -p /dev/net
[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
chmod 666 /dev/fuse /dev/net/tun
for mount in dev proc sys; do mount --move "/$mount" "/root/$mount"; done
exec switch_root /root /lib/systemd/systemd
INIT
chmod 755 "$initrd/init"
ln -s busybox "$initrd/bin/sh"
chroot "$root" sh -c 'cd /tmp/initrd && find . | busybox cpio -o -H newc >/boot/guest-initrd'
mv "$root/boot/vmlinuz-$version" "$root/boot/guest-kernel"
rm -rf "$initrd"
