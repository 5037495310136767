// Package boottest tests Halberd from within a booted system: a real kernel with real drivers on simulated hardware, real systemd, and programs of other uids.
//
// Its tests are built with the tag boot and run as root in the images of rootfs/image, by `make boot-test`. What Halberd says or does is compared with
// what somebody else sees: the simulated chip's own attributes, gpioinfo, sysfs, varlinkctl, the journal.
package boottest
