// Package haltest is the conformance suite that every device class passes, and the tools that the tests of a class need: a loop whose time stands still, a
// kernel that writes down what it was asked, and one whose n-th call fails.
//
// A class runs the suite over a kernel of its own, as a rule the simulated board:
//
//	func TestConformance(t *testing.T) {
//		haltest.Run(t, func(t *testing.T) haltest.Harness {
//			k := sim.New(sim.Options{Bare: true})
//			k.AddLED(sim.LED{Name: "front", Max: 255})
//			return haltest.Harness{
//				Driver: led.Driver(), Kernel: k,
//				Calls: []haltest.Call{{Method: "Set", Parameters: `{"led":"front","brightness":7}`}, …},
//			}
//		})
//	}
//
// The function is called again and again, since each check, and each injected fault, gets a kernel that nobody has touched. The suite counts the
// descriptors and goroutines of the process, so nothing else may run beside it: no t.Parallel.
//
// What each check is for:
//
//   - documented: the interface text, the reference and halctl's help are printed from the declarations, so whatever has no documentation there has none
//     anywhere. Every class, method, parameter, result and key of board.toml says what it is, each method has a verb, names are in the one case that the
//     contract has for them, and a unit stands in the name: an app that reads periodNSec cannot take it for milliseconds.
//   - text: an interface only ever gains methods and optional fields. The printed text stands in testdata/<Class>.varlink, so that each change of it is
//     seen in review. -update writes it anew.
//   - names: a device has exactly one ID, which finds it and nothing else, in each method for its kind of device and in no other one, and no method takes another spelling of it. Grants name devices: a second name
//     would be a way around them.
//   - calls: there is a call of each method that is carried out on this kernel, or is refused by the name given, and its reply has the declared results within their declared limits. Without
//     it the checks below would find nothing to break. A method with the verb observe writes no attribute: a grant to look must not be one to touch.
//   - watches: a watch tells the present state first, the same that the call gives without more, and then changes alone. Its events are numbered from 1, with those that a slow reader lost, and one that was
//     away learns the state all the same.
//   - gate: with a gate that refuses, no call reaches the kernel, neither to write nor to read. That is the promise on which everything else rests.
//   - malformed: for each declared parameter, what is missing, null, of a wrong type, empty, one below the least or one above the greatest value, unknown or
//     given twice is refused as InvalidParameter with its path, and the kernel is not touched; the least and the greatest value are taken.
//   - faults when opening, in a call, when closing: each single call of the kernel fails once with EIO, ENODEV, EBUSY and EACCES. Hardware breaks at the worst place. Nothing may panic, no
//     descriptor, timer or goroutine may stay behind, and a caller must not be told that it worked: where a write failed, or any call of a method that observes, the answer is an error, and
//     ENODEV and EBUSY are DeviceGone and Busy. After an EIO that has passed, the same call works again.
//   - rescan, faults in a rescan: devices come and go, and messages about that are lost. A look at the same hardware changes nothing; what is gone answers DeviceGone, before the class has
//     looked and afterwards, and its watches end so; what comes back works as before; nothing adds up; and whatever call of the kernel fails meanwhile, the next look puts it right.
//   - close: a class that is closed, twice even, with watches running, lets go of every descriptor, timer and goroutine, and never touches the kernel again. The
//     server closes classes while connections still end.
package haltest
