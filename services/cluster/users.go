package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Users of NATS that are not the name of a class.
const (
	userAdmin   = "admin"
	userCluster = "cluster" // as which the servers speak to each other
)

// wantedPassword matches where a nats.conf takes a user's password from the environment.
var wantedPassword = regexp.MustCompile(`\$(TUTTI_NATS_PASSWORD_([A-Z][A-Z0-9_]*))`)

// makePasswords makes a password for each user of Config.NATSConf that has none yet.
func (c *Cluster) makePasswords() error {
	if c.cfg.NATSConf == "" {
		return nil
	}
	text, err := os.ReadFile(c.cfg.NATSConf)
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	users := []string{userCluster}
	for _, m := range wantedPassword.FindAllSubmatch(text, -1) {
		users = append(users, strings.ToLower(string(m[2])))
	}
	for _, u := range users {
		if c.memory.Passwords[u] != "" {
			continue
		}
		random := make([]byte, 24)
		_, _ = rand.Read(random)                                 // never fails
		c.memory.Passwords[u] = "p" + hex.EncodeToString(random) // a nats.conf takes what begins with a digit for a number
	}
	return nil
}

// environment is this process's own without settings of tutti, and what a process of a
// class needs to log in to NATS, or to let others.
func (c *Cluster) environment(class Class) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TUTTI_") {
			env = append(env, kv)
		}
	}
	switch class {
	case ClassRethinkDB:
		return env
	case ClassNATS:
		for user, password := range c.memory.Passwords {
			env = append(env, "TUTTI_NATS_PASSWORD_"+strings.ToUpper(user)+"="+password)
		}
		return env
	}
	return append(env, c.login(string(class))...)
}

// login gives the settings with which a process logs in to NATS.
func (c *Cluster) login(user string) []string {
	a := c.Access(user)
	if a.User == "" {
		return nil
	}
	return []string{"TUTTI_NATS__USER=" + a.User, "TUTTI_NATS__PASSWORD=" + a.Password}
}
