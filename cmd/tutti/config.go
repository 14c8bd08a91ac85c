package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"

	"github.com/tuttihq/tutti/services"
)

// envPrefix begins every environment variable that is a setting. Two underscores stand
// for the dot between a section and its key: TUTTI_EDGE__LISTEN is edge.listen.
const envPrefix = "TUTTI_"

// flagKeys says which setting a flag overrides.
var flagKeys = map[string]string{
	"data":      "data",
	"http":      "edge.listen",
	"nats":      "nats.listen",
	"nats-url":  "nats.url",
	"nats-user": "nats.user",

	"credentials": "nats.credentials",

	"roles": "roles",
	"store": "store.kind",

	"store-addresses": "store.addresses",

	"log-level":  "log.level",
	"log-format": "log.format",
	"fsync":      "nats.sync_always",
	"metrics":    "metrics.listen",
}

// configFlags adds the flags that loadConfig reads.
func configFlags(c *cobra.Command) {
	d := services.Defaults()
	f := c.Flags()
	f.String("data", d.Data, "keep everything in this `DIR`; empty keeps nothing")
	f.String("http", d.Edge.Listen, "serve HTTP on `HOST:PORT`; port 0 takes any")
	f.String("nats", d.NATS.Listen, "let NATS tools connect on `HOST:PORT`; port 0 takes any, empty listens nowhere")
	f.String("nats-url", "", "use the NATS servers at this `URL` instead of the embedded one")
	f.String("store", d.Store.Kind, "keep documents in this `KIND` of store: sqlite or rethinkdb")
	loginFlags(c)
	f.String("metrics", d.Metrics.Listen, "answer /metrics, /healthz and /readyz on `HOST:PORT`, for the operator alone; port 0 takes any, empty listens nowhere")
	f.Bool("fsync", false, "write every event to the disk before it is acknowledged, at many times the cost")
	logFlags(c)
}

// loginFlags adds the flags that say, beside --nats-url and --store, where data is and as whom.
func loginFlags(c *cobra.Command) {
	c.Flags().String("nats-user", "", "log in to NATS as this `USER`; the password comes from TUTTI_NATS__PASSWORD or a file")
	c.Flags().String("credentials", "", "log in to NATS with this credentials `FILE`")
	addressFlags(c)
}

// storeFlags adds the flags of a command for a store on servers of its own, which is what it
// takes without any.
func storeFlags(c *cobra.Command) {
	c.Flags().String("store", services.StoreRethinkDB, "the `KIND` of store")
	addressFlags(c)
	logFlags(c)
	alikeFlags(c)
}

// alikeFlags adds what a command lacks of the flags that say where a deployment is, for those
// below it too. It has no use for them and does not show them; but so one block of flags is good
// for every command.
func alikeFlags(c *cobra.Command) {
	all := &cobra.Command{}
	toolFlags(all)
	for _, name := range []string{"data", "nats-url", "nats-user", "credentials", "store", "store-addresses", "log-level", "log-format"} {
		if c.Flags().Lookup(name) == nil && c.PersistentFlags().Lookup(name) == nil {
			flag := all.Flags().Lookup(name)
			flag.Hidden = true
			c.PersistentFlags().AddFlag(flag)
		}
	}
}

func addressFlags(c *cobra.Command) {
	c.Flags().StringSlice("store-addresses", services.Defaults().Store.Addresses, "the RethinkDB servers, a `HOST:PORT` each, comma separated")
}

func logFlags(c *cobra.Command) {
	d := services.Defaults()
	c.Flags().String("log-level", d.Log.Level, "log from this `LEVEL` on: debug, info, warn, error")
	c.Flags().String("log-format", d.Log.Format, "log as text or json")
}

// loadSettings gives a command's settings from this process's environment, and the logger
// that they ask for.
func loadSettings(c *cobra.Command) (services.Config, *slog.Logger, error) {
	cfg, err := loadConfig(c, os.Environ)
	if err != nil {
		return services.Config{}, nil, err
	}
	log, err := services.NewLogger(cfg.Log, c.ErrOrStderr())
	return cfg, log, err
}

// loadConfig puts the settings together: defaults, file, environment, flags. It reports
// every key that it does not know.
func loadConfig(c *cobra.Command, environ func() []string) (services.Config, error) {
	k := koanf.New(".")
	if err := k.Load(structs.Provider(services.Defaults(), "koanf"), nil); err != nil {
		return services.Config{}, fmt.Errorf("defaults: %w", err)
	}
	if f := c.Flags().Lookup("store"); f != nil { // its default is the command's
		if err := k.Set(flagKeys["store"], f.DefValue); err != nil {
			return services.Config{}, fmt.Errorf("defaults: %w", err)
		}
	}
	known := map[string]bool{}
	for _, key := range k.Keys() {
		known[key] = true
	}
	if path, err := c.Flags().GetString("config"); err == nil && path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return services.Config{}, fmt.Errorf("config file %s: %w", path, err)
		}
	}
	err := k.Load(env.Provider(".", env.Opt{
		Prefix: envPrefix, EnvironFunc: environ,
		TransformFunc: func(key, value string) (string, any) {
			if !strings.Contains(key, "__") && !known[strings.ToLower(strings.TrimPrefix(key, envPrefix))] {
				// Not a setting in a section, nor one of the few outside: container platforms
				// make such variables out of a service's name.
				return "", nil
			}
			key = strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(key, envPrefix), "__", "."))
			return key, value
		},
	}), nil)
	if err != nil {
		return services.Config{}, fmt.Errorf("environment: %w", err)
	}
	for name, key := range flagKeys {
		f := c.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		var value any = f.Value.String()
		if f.Value.Type() == "stringSlice" {
			if value, err = c.Flags().GetStringSlice(name); err != nil {
				return services.Config{}, err
			}
		}
		if err := k.Set(key, value); err != nil {
			return services.Config{}, fmt.Errorf("flag --%s: %w", name, err)
		}
	}
	var unknown []error
	for _, key := range k.Keys() {
		if !known[key] {
			unknown = append(unknown, fmt.Errorf("there is no setting %q; \"tutti check --print\" lists them", key))
		}
	}
	if err := errors.Join(unknown...); err != nil {
		return services.Config{}, err
	}
	var cfg services.Config
	err = k.UnmarshalWithConf("", &cfg, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		Result: &cfg, TagName: "koanf", WeaklyTypedInput: true, ErrorUnused: true,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(",")),
	}})
	if err != nil {
		return services.Config{}, fmt.Errorf("settings: %w", err)
	}
	return cfg, nil
}
