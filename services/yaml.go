package services

import (
	"fmt"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"

	"github.com/tuttihq/tutti/services/internal/bus"
)

// YAML spells all settings, with secrets hidden, in the form that a config file has.
func (c Config) YAML() ([]byte, error) {
	if c.Catalog.YouTube.APIKey != "" {
		c.Catalog.YouTube.APIKey = "(hidden)"
	}
	for _, p := range [...]*string{&c.NATS.Password, &c.Store.Password} {
		if *p != "" {
			*p = "(hidden)"
		}
	}
	c.NATS.URL = bus.RedactURL(c.NATS.URL)
	k := koanf.New(".")
	if err := k.Load(structs.Provider(c, "koanf"), nil); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	for _, key := range k.Keys() {
		if d, ok := k.Get(key).(fmt.Stringer); ok {
			if err := k.Set(key, d.String()); err != nil {
				return nil, fmt.Errorf("settings: %w", err)
			}
		}
	}
	return k.Marshal(yaml.Parser())
}
