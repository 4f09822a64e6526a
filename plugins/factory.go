package plugins

// Type is the type of a parameter.
type Type uint8

// The parameter types. A value of another TOML type is an error.
const (
	String   Type = iota
	Int           // integer
	Float         // float or integer
	Bool          //
	Strings       // array of strings
	Duration      // text such as "1m 30s"
	Size          // bytes: integer, or text such as "10mb"
	Regex         // text that must compile
	Tables        // array of tables
)

// Param declares one parameter of a plugin. -t, the reference and the forms of the panel are made from it.
type Param struct {
	// Name is the TOML key.
	Name string
	Type Type
	// Unit of a number ("bytes", "ms"), empty where the type says it.
	Unit string
	// Default is the value when the key is absent, as it would be written in TOML; nil for none.
	Default any
	// Required makes the absence of the key an error.
	Required bool
	// Min and Max bound an Int; both 0 means no bounds.
	Min, Max int64
	// Enum lists the allowed texts of a String; empty allows any.
	Enum []string
	// Table declares the keys of each table of Tables.
	Table []Param
	// Upstream says that a String is the name of an upstream, which must be in the configuration.
	Upstream bool
	// Secret keeps the value of a text, or of a list of texts, out of every message. "$ENV:NAME" takes it from the environment.
	Secret bool
	// Help says in a sentence what the parameter does.
	Help string
}

// Factory declares a category of plugin and builds its instances.
type Factory struct {
	// Category is the value of the key "category".
	Category string
	// Summary says in a sentence what the plugin does.
	Summary string
	// Steps are the request steps the key "step" may choose for the instance's Decide, the first
	// being the default. Empty for plugins that act on responses only. With one step the key may
	// be absent or name that one. For plugins that act on responses only the key may be absent or
	// name the step at which the instance acts.
	Steps []Step
	// Plain tells that Decide has no effect but on the exchange that it is given when Exchange.Shadow is set, and asks nobody else: explain calls
	// it. Other Deciders are Foreseers, or explain knows nothing of them.
	Plain bool
	// Params are the parameters beside category, step and remark.
	Params []Param
	// New builds an instance from parameters that satisfy Params. It checks what Params cannot
	// express and returns an *Error that names the key at fault, or several by errors.Join.
	New func(p *Parameters) (Plugin, error)
}
