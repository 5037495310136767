package hal

import "fmt"

// Interface is one varlink interface with its text.
type Interface struct {
	Name    string
	Class   string // of io.halberd.<Class>; "" for an interface that is no class
	Methods []*Method
	Text    string
	Devices Inventory // nil without devices
}

// Catalog is every interface and method there is. It does not change once the server runs.
type Catalog struct {
	interfaces []*Interface
	methods    []*Method
	byName     map[string]*Method
}

// NewCatalog makes an empty catalog.
func NewCatalog() *Catalog { return &Catalog{byName: map[string]*Method{}} }

// Add takes in an interface whose text is given, and numbers its methods. One that it refuses leaves nothing behind.
func (c *Catalog) Add(i *Interface) error {
	if c.Interface(i.Name) != nil {
		return fmt.Errorf("cannot add interface %s: it is there already", i.Name)
	}
	names := map[string]bool{}
	for _, m := range i.Methods {
		if names[m.Name] {
			return fmt.Errorf("cannot add method %s.%s: it is there already", i.Name, m.Name)
		}
		names[m.Name] = true
	}
	for _, m := range i.Methods {
		m.Interface, m.Class, m.Index = i.Name, i.Class, len(c.methods)
		c.methods = append(c.methods, m)
		c.byName[m.FullName()] = m
	}
	c.interfaces = append(c.interfaces, i)
	return nil
}

// AddClass takes in a class as io.halberd.<Name>, with its text printed from its methods.
func (c *Catalog) AddClass(class *Class) error {
	name := "io.halberd." + class.Name
	return c.Add(&Interface{
		Name: name, Class: class.Name, Methods: class.Methods, Devices: class.Devices,
		Text: InterfaceText(name, class.Doc, class.Methods, nil),
	})
}

// Interface finds an interface by its name, or gives nil.
func (c *Catalog) Interface(name string) *Interface {
	for _, i := range c.interfaces {
		if i.Name == name {
			return i
		}
	}
	return nil
}

// Class finds the interface of a class by the class's name, or gives nil.
func (c *Catalog) Class(name string) *Interface {
	for _, i := range c.interfaces {
		if i.Class == name && name != "" {
			return i
		}
	}
	return nil
}

// Interfaces lists all interfaces in the order they were added.
func (c *Catalog) Interfaces() []*Interface { return c.interfaces }

// Methods lists all methods; each stands at its Index.
func (c *Catalog) Methods() []*Method { return c.methods }

// Method finds a method by its full name as it came over the wire, or gives nil.
func (c *Catalog) Method(fullName []byte) *Method { return c.byName[string(fullName)] }
