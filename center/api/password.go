package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"

	"github.com/verderer/verderer/center/store"
	"github.com/verderer/verderer/names"
)

// hashing is OWASP's recommendation for argon2id with more memory: 64 MiB and
// two passes, about a quarter of a second of one core.
var hashing = &argon2id.Params{Memory: 64 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const (
	// maxHashing passwords are hashed at once: 128 MiB, whoever logs in.
	maxHashing = 2
	// maxWaiting more wait for it, some seconds at most. The next is told to
	// come back.
	maxWaiting = 10
)

// hasher hashes passwords, few at a time.
type hasher struct {
	places chan struct{} // waiting or hashing
	slots  chan struct{} // hashing
	nobody string
}

// nobody is a hash of no password: what it costs to refuse an unknown name.
var nobody = sync.OnceValues(func() (string, error) { return argon2id.CreateHash(rand.Text(), hashing) })

func newHasher() (*hasher, error) {
	h := &hasher{places: make(chan struct{}, maxHashing+maxWaiting), slots: make(chan struct{}, maxHashing)}
	var err error
	h.nobody, err = nobody()
	return h, err
}

// run waits for its turn. It refuses with errBusy when too many wait.
func (h *hasher) run(ctx context.Context, do func() error) error {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		return errBusy
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return do()
}

// hash of a new password.
func (h *hasher) hash(ctx context.Context, password string) (hash string, err error) {
	err = h.run(ctx, func() error {
		hash, err = argon2id.CreateHash(password, hashing)
		return err
	})
	return hash, err
}

// matches compares a password with a hash. An empty hash, of a user that there
// is not, takes as long and never matches.
func (h *hasher) matches(ctx context.Context, password, hash string) (ok bool, err error) {
	if hash == "" {
		hash = h.nobody
	}
	err = h.run(ctx, func() error {
		ok, err = argon2id.ComparePasswordAndHash(password, hash)
		return err
	})
	return ok, err
}

const (
	minPassword = 12  // characters: what guessing at the rate that login allows never reaches
	maxPassword = 256 // characters: room for any sentence, and a bound on what is hashed
	maxName     = 64
)

// checkName refuses names that a list or a log would not show as they are.
func checkName(name string) error {
	switch {
	case names.Fold(name) == CommandLine:
		return refuse(http.StatusUnprocessableEntity, "name", "The audit log calls the center's own commands so. Take another name.")
	case strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > maxName:
		return refuse(http.StatusUnprocessableEntity, "name", "A name has 1 to %d characters.", maxName)
	case strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return refuse(http.StatusUnprocessableEntity, "name", "A name has no space at its ends, and no characters that cannot be seen.")
	}
	return nil
}

// checkSensorName is checkName for what a sensor calls itself: a host name
// unless somebody chose.
func checkSensorName(name string) error {
	if n := utf8.RuneCountInString(name); n == 0 || n > 253 || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return refuse(http.StatusUnprocessableEntity, "name", "A sensor's name has 1 to 253 characters that can be seen.")
	}
	return nil
}

// checkPassword refuses what is too short to hold, and nothing else.
func checkPassword(name, password string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case n < minPassword || n > maxPassword:
		return refuse(http.StatusUnprocessableEntity, "password", "A password has %d to %d characters.", minPassword, maxPassword)
	case names.Fold(password) == names.Fold(name):
		return refuse(http.StatusUnprocessableEntity, "password", "The password is the name. Take another.")
	}
	return nil
}

// CommandLine is who does what commands on the center's machine do, in the audit
// log. No account has this name.
const CommandLine = "command line"

// NewUser is an account with the rules of set-up: a command makes it, not a
// call. What name or password lacks is said by a *Problem.
func NewUser(name, password string, role Role) (u store.User, err error) {
	if !Viewers.lets(role) {
		return u, fmt.Errorf("making account %q: there is no role %q", name, role)
	}
	if err := checkName(name); err != nil {
		return u, err
	}
	u = store.User{Name: name, Role: string(role)}
	u.Hash, err = HashPassword(name, password)
	return u, err
}

// HashPassword is the hash of a new password of the account of that name. What
// the password lacks is said by a *Problem.
func HashPassword(name, password string) (string, error) {
	if err := checkPassword(name, password); err != nil {
		return "", err
	}
	return argon2id.CreateHash(password, hashing)
}
