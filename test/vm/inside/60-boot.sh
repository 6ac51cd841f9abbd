# A unit of the user's systemd brings containers back.
. test/vm/inside/check.sh
trun run -d --name always --restart always host sleep 1000 >/dev/null
trun stop -t 0 always >/dev/null
same "$(trun inspect --format '{{.State.Status}}' always)" exited
trun system enable-boot
systemctl --user is-enabled trun-boot.service
systemctl --user start trun-boot.service
same "$(trun inspect --format '{{.State.Status}}' always)" running
# The unit's end is not the containers'.
systemctl --user stop trun-boot.service
same "$(trun exec always echo alive)" alive
trun system disable-boot
systemctl --user is-enabled trun-boot.service 2>/dev/null && fail 'the unit is left'
trun rm -f always >/dev/null
