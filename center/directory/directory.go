// Package directory holds what is known of an Active Directory forest, as read
// from it or from a snapshot file (`analyze --directory`).
package directory

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"

	"github.com/verderer/verderer/activity"
)

// Schema names this version of the snapshot format. A reader refuses others.
const Schema = "verderer/directory/1"

// Snapshot is the directory at one time. Every part may be missing: a rule
// that needs it then says so.
type Snapshot struct {
	Schema            string             `json:"schema"`                      // verderer/directory/1
	Taken             activity.Time      `json:"taken,omitempty"`             // when it was read
	Domains           []Domain           `json:"domains,omitempty"`           //
	DomainControllers []DomainController `json:"domainControllers,omitempty"` // all of them: once any is listed, others do not count, whatever the traffic shows
	DNSServers        []netip.Addr       `json:"dnsServers,omitempty"`        // DNS servers that are no domain controllers: secondaries, appliances
	Replicators       []Replicator       `json:"replicators,omitempty"`       // accounts that replicate by right without being a domain controller
	Accounts          []Account          `json:"accounts,omitempty"`          //
}

// Domain gives the names of one domain.
type Domain struct {
	DNS     string `json:"dns"`               // lab.example
	NetBIOS string `json:"netbios,omitempty"` // LAB
	SID     string `json:"sid,omitempty"`
}

// DomainController is a computer in the Domain Controllers or Read-only Domain
// Controllers group (primary group 516 or 521).
type DomainController struct {
	Name      string       `json:"name"` // DNS name
	Addresses []netip.Addr `json:"addresses,omitempty"`
}

// Replicator is an account that holds the replication rights for a known
// purpose: Entra Connect password hash synchronisation, a migration tool.
type Replicator struct {
	Account string       `json:"account"` // sAMAccountName, or DOMAIN\name
	Hosts   []netip.Addr `json:"hosts"`   // where it does so; from elsewhere it is not expected
}

// Account is one user or computer.
type Account struct {
	Name    string        `json:"name"`              // sAMAccountName
	Domain  string        `json:"domain,omitempty"`  // DNS or NetBIOS name
	SID     string        `json:"sid,omitempty"`     //
	Removed activity.Time `json:"removed,omitempty"` // deleted, disabled or renamed away at that time
}

// maxSnapshot caps a snapshot file: 200,000 accounts take about 40 MB.
const maxSnapshot = 1 << 30

// Read reads a snapshot file. Unknown fields are refused: a misspelt one would
// silently leave a rule without its facts.
func Read(r io.Reader) (*Snapshot, error) {
	d := json.NewDecoder(io.LimitReader(r, maxSnapshot))
	d.DisallowUnknownFields()
	var s Snapshot
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("reading directory snapshot at offset %d: %w", d.InputOffset(), err)
	}
	if s.Schema != Schema {
		return nil, fmt.Errorf("reading directory snapshot: schema %q, want %q", s.Schema, Schema)
	}
	return &s, nil
}
