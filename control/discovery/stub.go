package discovery

import "pingap/config"

type Endpoint struct {
	Address config.Address
	Weight  int
	Backup  bool
	From    string
}
type Update struct {
	Endpoints       []Endpoint
	Tried, Complete bool
	Problems        []string
}
