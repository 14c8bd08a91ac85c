package services

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
)

// apart reports what keeps a process with a part of the roles from running beside others.
func (c Config) apart() error {
	if !slices.ContainsFunc(Roles(), func(r string) bool { return !c.has(r) }) {
		return nil
	}
	var errs []error
	all := strings.Join(Roles(), ",")
	if c.Store.Kind == StoreSQLite && c.needsStore() {
		errs = append(errs, fmt.Errorf("roles: %w: give it all roles (%s), or set store.kind to %s, which many can open", ErrEmbeddedStore, all, StoreRethinkDB))
	}
	if c.NATS.URL == "" {
		errs = append(errs, fmt.Errorf("roles: %w: give it all roles (%s), or name the servers that all processes use in nats.url", ErrEmbeddedNATS, all))
	}
	return errors.Join(errs...)
}

// needsStore reports whether a role of this process reads or writes documents: an edge
// shows what it reads in the logs and hears from the services.
func (c Config) needsStore() bool {
	return slices.ContainsFunc(c.Roles, func(r string) bool { return r != RoleEdge })
}

// name is how this process is called in NATS's list of connections.
func (c Config) name() string {
	if len(c.Roles) == 0 || len(c.Roles) == len(Roles()) {
		return "tutti"
	}
	return "tutti-" + strings.Join(c.Roles, "-")
}

func (s StoreConfig) validate() error {
	var errs []error
	switch s.Kind {
	case StoreSQLite:
		return nil
	case StoreRethinkDB:
	default:
		return fmt.Errorf("store.kind: %q is neither %s nor %s", s.Kind, StoreSQLite, StoreRethinkDB)
	}
	if len(s.Addresses) == 0 {
		errs = append(errs, errors.New("store.addresses: name at least one HOST:PORT"))
	}
	for _, a := range s.Addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			errs = append(errs, fmt.Errorf("store.addresses: %q is not HOST:PORT: %w", a, err))
		}
	}
	if s.Database == "" {
		errs = append(errs, errors.New("store.database: must not be empty"))
	}
	if s.Shards < 1 || s.Shards > 64 {
		errs = append(errs, fmt.Errorf("store.shards: %d is not between 1 and 64", s.Shards))
	}
	if s.Replicas < 1 || s.Replicas > 7 {
		errs = append(errs, fmt.Errorf("store.replicas: %d is not between 1 and 7", s.Replicas))
	}
	if s.MaxOpen < 2 || s.MaxOpen > 1000 {
		errs = append(errs, fmt.Errorf("store.max_open: %d is not between 2 and 1000", s.MaxOpen))
	}
	return errors.Join(append(errs, onePassword("store", s.Password, s.PasswordFile))...)
}

func onePassword(section, password, file string) error {
	if password != "" && file != "" {
		return fmt.Errorf("%s: set password or password_file, not both", section)
	}
	return nil
}

// withPasswords gives the configuration with the passwords that files hold.
func (c Config) withPasswords() (Config, error) {
	var errs []error
	for _, p := range [...]struct {
		setting string
		file    *string
		into    *string
	}{
		{"nats.password_file", &c.NATS.PasswordFile, &c.NATS.Password},
		{"store.password_file", &c.Store.PasswordFile, &c.Store.Password},
	} {
		if *p.file == "" {
			continue
		}
		text, err := os.ReadFile(*p.file)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.setting, err))
			continue
		}
		*p.into, *p.file = strings.TrimRight(string(text), "\r\n"), ""
	}
	return c, errors.Join(errs...)
}
