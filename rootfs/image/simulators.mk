# Simulated hardware, compiled outside the kernel's tree by kernel.sh.
ccflags-y += -I$(src) -DCONFIG_IIO_SIMPLE_DUMMY_EVENTS=1
obj-m += irq_sim.o gpio-sim.o gpio-mockup.o gpio-virtuser.o gpio-aggregator.o i2c-stub.o uleds.o rtc-test.o test_power.o pwm-gpio.o
obj-m += industrialio-sw-device.o iio_dummy.o iio_dummy_evgen.o
iio_dummy-y := iio_simple_dummy.o iio_simple_dummy_events.o
