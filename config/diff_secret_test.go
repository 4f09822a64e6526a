package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// Every key that is a secret, in every table, and in the forms in which lists and texts may hold one, is hidden from what people are told of a change.
func TestADifferenceHoldsNoSecret(t *testing.T) {
	values := [2]string{"hidden-one", "hidden-two"}
	secrets := 0
	for _, table := range Tables() {
		for i := range table.Keys {
			k := &table.Keys[i]
			if table.Name == "storages" {
				continue // never compared
			}
			forms := [2]any{}
			switch k.Type {
			case "secret":
				secrets++
				forms = [2]any{Secret(values[0]), Secret(values[1])}
			case "list":
				forms = [2]any{[]string{"Authorization: " + values[0], "http://u:" + values[0] + "@h/?token=" + values[0]},
					[]string{"X-Token:" + values[1], "https://" + values[1] + "@h/"}}
			case "string":
				forms = [2]any{"http://u:" + values[0] + "@h/", "http://h/?api_key=" + values[1]}
			default:
				continue
			}
			t.Run(table.Name+"."+k.Name, func(t *testing.T) {
				var both [2]*Config
				for n := range both {
					c := newConfig(newSchema())
					object := objectOf(c, table.Name)
					f := object.Field(k.field)
					f.Set(reflect.ValueOf(forms[n]).Convert(f.Type()))
					both[n] = c
				}
				for _, pair := range [][2]*Config{{both[0], both[1]}, {both[0], bareLike(table.Name)}, {bareLike(table.Name), both[1]}} {
					changes := Diff(pair[0], pair[1])
					if k.Class != Same && len(changes) == 0 {
						t.Error("no change was found")
					}
					if text := changes.Text(); strings.Contains(text, "hidden") {
						t.Errorf("told:\n%s", text)
					}
				}
			})
		}
	}
	if secrets < 8 {
		t.Errorf("%d secrets", secrets)
	}
}

func bareLike(table string) *Config {
	c := newConfig(newSchema())
	objectOf(c, table)
	return c
}

// objectOf makes an object of a table, without a value.
func objectOf(c *Config, table string) reflect.Value {
	switch table {
	case "basic":
		return reflect.ValueOf(&c.Basic).Elem()
	case "servers":
		c.Servers["x"] = &Server{}
		return reflect.ValueOf(c.Servers["x"]).Elem()
	case "locations":
		c.Locations["x"] = &Location{}
		return reflect.ValueOf(c.Locations["x"]).Elem()
	case "upstreams":
		c.Upstreams["x"] = &Upstream{}
		return reflect.ValueOf(c.Upstreams["x"]).Elem()
	case "plugins":
		c.Plugins["x"] = &Plugin{}
		return reflect.ValueOf(c.Plugins["x"]).Elem()
	case "certificates":
		c.Certificates["x"] = &Certificate{}
		return reflect.ValueOf(c.Certificates["x"]).Elem()
	}
	panic(fmt.Sprintf("no table %s", table))
}
