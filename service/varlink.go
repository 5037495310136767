package service

import (
	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/dispatch"
)

// varlinkText is the interface that every varlink service has, word for word.
const varlinkText = `# The Varlink Service Interface is provided by every varlink service. It
# describes the service and the interfaces it implements.
interface org.varlink.service

# Get a list of all the interfaces a service provides and information
# about the implementation.
method GetInfo() -> (
  vendor: string,
  product: string,
  version: string,
  url: string,
  interfaces: []string
)

# Get the description of an interface that is implemented by this service.
method GetInterfaceDescription(interface: string) -> (description: string)

# The requested interface was not found.
error InterfaceNotFound (interface: string)

# The requested method was not found
error MethodNotFound (method: string)

# The interface defines the requested method, but the service does not
# implement it.
error MethodNotImplemented (method: string)

# One of the passed parameters is invalid.
error InvalidParameter (parameter: string)

# Client is denied access
error PermissionDenied ()

# Method is expected to be called with 'more' set to true, but wasn't
error ExpectedMore ()
`

// info is what GetInfo answers.
type info struct {
	vendor, product, version, url string
	interfaces                    []string
}

func (p *info) Fields(f *hal.Fields) {
	f.Text("vendor", &p.vendor, "Who makes it.")
	f.Text("product", &p.product, "What it is.")
	f.Text("version", &p.version, "Its version.")
	f.Text("url", &p.url, "Where to read about it.")
	f.Texts("interfaces", &p.interfaces, 0, 1000, "The interfaces that it has.")
}

// interfaceName asks for an interface's text.
type interfaceName struct{ name string }

func (p *interfaceName) Fields(f *hal.Fields) {
	f.Text("interface", &p.name, "The interface.")
}

// description is an interface's text.
type description struct{ text string }

func (p *description) Fields(f *hal.Fields) {
	f.Text("description", &p.text, "The interface's text.")
}

// varlinkInterface is org.varlink.service.
func (s *Server) varlinkInterface() *hal.Interface {
	return &hal.Interface{Name: "org.varlink.service", Text: varlinkText, Methods: []*hal.Method{
		hal.Plain(hal.Observe, "GetInfo", "Says what this service is.", s.getInfo),
		hal.Plain(hal.Observe, "GetInterfaceDescription", "Gives the text of an interface.", s.getDescription),
	}}
}

func (s *Server) getInfo(_ hal.Holder, _ *hal.None, out *info) error {
	*out = info{vendor: "Halberd", product: "halberd", version: s.version, url: "https://github.com/halberd-io/halberd"}
	for _, i := range s.catalog.Interfaces() {
		out.interfaces = append(out.interfaces, i.Name)
	}
	return nil
}

func (s *Server) getDescription(_ hal.Holder, in *interfaceName, out *description) error {
	i := s.catalog.Interface(in.name)
	if i == nil {
		return dispatch.InterfaceNotFound(in.name)
	}
	out.text = i.Text
	return nil
}

// errorInterfaces declare the errors that all classes share: ours, and the kernel's as systemd has them.
func errorInterfaces() []*hal.Interface {
	var ours, systemd []hal.Refusal
	for _, r := range hal.Refusals() {
		if r.ErrorName() == (*hal.System)(nil).ErrorName() {
			systemd = append(systemd, r)
		} else {
			ours = append(ours, r)
		}
	}
	return []*hal.Interface{
		{Name: "io.halberd", Text: hal.InterfaceText("io.halberd", "The errors of every class. The first that applies is answered, in this order.", nil, ours)},
		{Name: "io.systemd", Text: hal.InterfaceText("io.systemd", "Errors of the kernel, as systemd's own services report them.", nil, systemd)},
	}
}
