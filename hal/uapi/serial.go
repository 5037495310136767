package uapi

// SerialRS485 is struct serial_rs485 of include/uapi/linux/serial.h, for TIOCGRS485 and TIOCSRS485.
type SerialRS485 struct {
	Flags              uint32
	DelayRTSBeforeSend uint32 // ms
	DelayRTSAfterSend  uint32 // ms
	_                  [5]uint32
}

// The flags of SerialRS485.
const (
	SerialRS485Enabled      = 1 << 0
	SerialRS485RTSOnSend    = 1 << 1 // RTS is active while it sends
	SerialRS485RTSAfterSend = 1 << 2 // and afterwards
)

// SerialCounters is struct serial_icounter_struct of the same header, for TIOCGICOUNT.
type SerialCounters struct {
	CTS, DSR, RNG, DCD      int32
	RX, TX                  int32
	Frame, Overrun          int32
	Parity, Brk, BufOverrun int32
	_                       [9]int32
}
