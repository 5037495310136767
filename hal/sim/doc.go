// Package sim is the simulated board: a hal.Kernel whose /sys and /dev hold devices that behave as Linux makes them behave. Everything above the kernel boundary is the
// very code that runs on a board.
//
// It models, after Linux 6.12:
//
//   - /sys as a tree of folders, symbolic links and attributes, with the errors of kernfs: EACCES for writing what is read-only, ENODEV through a descriptor whose device has gone,
//     EINVAL for what is no number;
//   - LEDs: brightness clamped to the maximum, the trigger ended by brightness 0 (and the light by the trigger's end), the files of the triggers timer, transient and pattern that come and go with them,
//     what patterns the kernel takes, several colours, and vibrators whose drivers have files of their own for that; not modelled are what a pattern shows after its first step, and hw_pattern and hr_pattern;
//   - GPIO chips of version 2 of the character device: line info, requests of one line or several that exclude each other and free their lines when the last descriptor is closed, whoever
//     duplicated it (what becomes of a line then is the chip's own: see Chip.Forgets), what /proc/self says about them, settings that
//     differ by line, setting by a mask (line after line, as drivers without set_multiple do), every combination of flags that the kernel refuses,
//     active-low, bias as a pull, open drain and open source, edges with sequence numbers in a queue that drops the oldest, chips without interrupts;
//   - hwmon, thermal and IIO sensors;
//   - PWM chips: export and unexport, a state that is applied or refused as a whole, and nothing taken without a period; not modelled are capture and the rounding of times by hardware;
//   - backlights, with the messages about their brightness and the switch of which there are none; a driver that fails;
//   - fans of chips, of gpio-fan and of pwm-fan, each with its own meaning of pwmN_enable, and the cooling devices that are the same hardware; not modelled is that a chip or a thermal zone changes a speed by itself;
//   - remote processors, with the states and the refusals of the kernel's own control, who needs one, and recovery; not modelled are how long a start takes and that one is suspended;
//   - serial ports: real pseudo-terminals that give back what they get, with lines, counters, breaks and RS-485 beside. Their
//     descriptors are hung up when the last one of the daemon's is closed, where a real port's go on, and when they are unplugged;
//   - devices of input: readers with a queue each, of packets, which loses all when it is full; states, clocks, revoking; and motors of force feedback with their effects;
//   - power supplies: their properties one by one and in their uevent, which is empty where one fails, limits of charging that keep their order, and messages about changes; not modelled is that one supplies another;
//   - watchdogs: opened once, which arms, pinged, stopped by V or not at all (nowayout), and resets that are counted; their attributes, or a kernel without them;
//   - real-time clocks: opened once, set, their one alarm as wakealarm takes and shows it, a range, and a time that is lost;
//   - I2C adapters, also behind multiplexers, of plain I2C or of SMBus alone, with EEPROMs and a temperature sensor, addresses that nothing answers at, and drivers that have an address; combined transfers and SMBus as
//     i2c-dev has them, with their limits;
//   - SPI devices of spidev whose two data lines are one: mode, bits and speed with what a controller refuses, transfers with the limits of spidev's buffer, how often the chip was selected;
//   - I2C and SPI buses that hang or fail;
//   - radios with /dev/rfkill, which tells of each change and takes what is to be done, drivers that refuse, and switches;
//   - cpufreq policies with limits that are clamped and rounded, and latency holds;
//   - the end and the sleep of the machine: what it is asked for is written down, and it goes on;
//   - devices that come and go, with the messages that the kernel sends about them, and loses where nobody reads them.
//
// It does not model: permissions by user, descriptors that are passed to other processes where nothing real stands behind them (Options.Lends passes them within this one), uevents about anything else, the watching of line info, version 1 of the GPIO interface, debouncing (the period is taken and shown, and filters nothing), the moments at
// which a blinking LED is dark, what a watchdog's pretimeout or reset does to the board, a clock's interrupts and the requests that set its alarm, capabilities (CAP_SYS_TIME),
// and slowness; of I2C addresses of ten bits, PEC, process calls and SMBus's own blocks, arbitration, the milliseconds in which an EEPROM is deaf after a write, and that an adapter which somebody has open
// cannot go; of SPI three wires, several lanes and what a chip would answer. A GPIO line that is let go keeps its direction and value, as on most SoCs; other hardware may let it float.
package sim
