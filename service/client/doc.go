// Package client calls a Halberd daemon, over any of its three kinds of socket.
//
// Dial finds the daemon and asks the kernel who it is: only a server of uid 0 or of the caller's own uid is spoken to, unless an option says
// otherwise. Call makes one call and waits for its reply, Oneway sends a call that has none, More follows a watch, and CallFDs also takes the
// descriptors that a reply brings.
//
// # How a call ends
//
// With nil, the server carried the call out. Otherwise the error is one of these, to be asked with errors.Is and errors.As:
//
//   - *Error: the server refused, and nothing was changed beyond what the method's documentation says.
//   - ErrAddress, from Dial: it is no address. Nothing was sent.
//   - ErrNoDaemon: nobody listens there. Nothing was sent.
//   - ErrUntrustedServer: somebody listens who is not to be trusted. Nothing was sent; a datagram was sent, and its answer dropped.
//   - ErrConnectionLost: the connection ended. Unless the text says that nothing was sent, the call may have been carried out.
//   - ErrProtocol: what came back is no reply. The call may have been carried out.
//   - ErrClosed: Close was called. The call may have been carried out.
//   - the context's error, or context.DeadlineExceeded after WithTimeout: nobody waits any longer. The call may have been carried out.
//
// A call that may have been carried out is never repeated by this package, since it may have moved something.
//
// # Connections
//
// A Client holds one connection and makes one call at a time on it, in the order in which they come; more clients make more connections. Claims
// and leases belong to that connection and end with it. It ends with Close, and when it is lost: by the server's doing, after ErrProtocol, or by a
// context that ends while half of a call is written. A context that ends while a reply is awaited costs no connection: the late reply is
// dropped when it comes, and the next call begins after it. Where a connection was lost, the next call dials again, unless WithReconnect(false)
// forbids it: whoever claims devices may want to hear of it.
//
// Datagrams carry no connection, no claims, no watches and no descriptors. Their answers can get lost, so a call over them waits for at most
// DatagramTimeout unless WithTimeout says otherwise. Each answer must come from the server's socket and from a trusted uid; any other is dropped.
//
// A waiting call, and a watch, holds an operating-system thread in poll(2).
package client
