package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/center/api"
	"github.com/verderer/verderer/center/store"
)

// userCommand is for the center's own machine: who can read and write its data
// folder needs no account. What it changes holds at once, also while the center
// runs: it looks at the account at every call.
type userCommand struct {
	List     userListCommand     `cmd:"" help:"List the accounts."`
	Add      userAddCommand      `cmd:"" help:"Make an account. The password is asked for, or read from standard input."`
	Password userPasswordCommand `cmd:"" help:"Change the password of an account, and end its sessions. It is asked for, or read from standard input."`
	Remove   userRemoveCommand   `cmd:"" help:"Remove an account, and end its sessions."`
}

type userListCommand struct{ configured }

func (c *userListCommand) Run(ctx context.Context) error {
	_, st, err := c.open()
	if err != nil {
		return err
	}
	defer st.Close()
	users, err := st.Users(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		fmt.Printf("%s\t%s\tsince %s\n", printable(u.Name), u.Role, u.Created.Go().Format(time.DateOnly))
	}
	if len(users) == 0 {
		fmt.Println("There is no account yet: verderer serve prints the link to make the first one.")
	}
	return nil
}

type userAddCommand struct {
	configured
	Name string   `arg:"" help:"Name of the account."`
	Role api.Role `required:"" enum:"administrator,analyst,viewer" help:"What it may do: administrator, analyst or viewer."`
}

func (c *userAddCommand) Run(ctx context.Context) error {
	_, st, err := c.open()
	if err != nil {
		return err
	}
	defer st.Close()
	if u, err := st.UserByName(ctx, c.Name); err == nil {
		return fmt.Errorf("there is an account %s already", u.Name)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	password, err := newPassword(ctx, c.Name)
	if err != nil {
		return err
	}
	u, err := api.NewUser(c.Name, password, c.Role)
	if err != nil {
		return explained(err)
	}
	if err := st.AddUser(ctx, u, api.CommandLine); err != nil {
		return err
	}
	fmt.Printf("There is an account %s now, with the role %s.\n", printable(u.Name), u.Role)
	return nil
}

type userPasswordCommand struct {
	configured
	Name string `arg:"" help:"Name of the account."`
}

func (c *userPasswordCommand) Run(ctx context.Context) error {
	u, st, err := c.user(ctx, c.Name)
	if err != nil {
		return err
	}
	defer st.Close()
	password, err := newPassword(ctx, u.Name)
	if err != nil {
		return err
	}
	hash, err := api.HashPassword(u.Name, password)
	if err != nil {
		return explained(err)
	}
	if err := st.SetPassword(ctx, u.Name, hash, api.CommandLine); err != nil {
		return err
	}
	fmt.Printf("The password of %s is changed. Whoever was logged in with the old one is not any more.\n", printable(u.Name))
	return nil
}

type userRemoveCommand struct {
	configured
	Name string `arg:"" help:"Name of the account."`
}

func (c *userRemoveCommand) Run(ctx context.Context) error {
	u, st, err := c.user(ctx, c.Name)
	if err != nil {
		return err
	}
	defer st.Close()
	err = st.RemoveUser(ctx, u.Name, string(api.Administrator), api.CommandLine)
	if errors.Is(err, store.ErrLast) {
		return fmt.Errorf("%s is the last administrator: add another one first", u.Name)
	}
	if err != nil {
		return err
	}
	fmt.Printf("The account %s is removed.\n", printable(u.Name))
	return nil
}

// user finds an account. The caller closes the store.
func (c *configured) user(ctx context.Context, name string) (*store.User, *store.Store, error) {
	_, st, err := c.open()
	if err != nil {
		return nil, nil, err
	}
	u, err := st.UserByName(ctx, name)
	if err == nil {
		return u, st, nil
	}
	st.Close()
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("there is no account %s: see verderer user list", name)
	}
	return nil, nil, err
}

// explained says the rule that a name or password breaks as the console would.
func explained(err error) error {
	var p *api.Problem
	if errors.As(err, &p) {
		return &analyze.UsageError{Err: errors.New(p.Detail)}
	}
	return err
}

// maxPiped caps what is read of a password: above the longest, so that it is
// refused for what it is.
const maxPiped = 4 << 10

// newPassword asks for a password, twice and without showing it. Where standard
// input is no terminal it is the one line there.
func newPassword(ctx context.Context, name string) (string, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		b, err := io.ReadAll(io.LimitReader(os.Stdin, maxPiped))
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
		if bytes.ContainsAny(b, "\r\n") || !utf8.Valid(b) {
			return "", &analyze.UsageError{Err: errors.New("reading the password: want one line of UTF-8 on standard input")}
		}
		return string(b), nil
	}
	first, err := ask(ctx, fmt.Sprintf("New password of %s: ", printable(name)))
	if err != nil {
		return "", err
	}
	again, err := ask(ctx, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", &analyze.UsageError{Err: errors.New("the two are not the same: nothing was changed")}
	}
	return first, nil
}

// ask reads a line from the terminal without showing it. When ctx ends the
// terminal is as it was before.
func ask(ctx context.Context, prompt string) (string, error) {
	terminal := int(os.Stdin.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	type answer struct {
		text []byte
		err  error
	}
	got := make(chan answer, 1)
	fmt.Fprint(os.Stderr, prompt)
	go func() {
		b, err := term.ReadPassword(terminal)
		got <- answer{b, err}
	}()
	select {
	case a := <-got:
		fmt.Fprintln(os.Stderr)
		if a.err == nil && !utf8.Valid(a.text) {
			a.err = errors.New("the terminal does not send UTF-8")
		}
		if a.err != nil {
			return "", fmt.Errorf("reading the password: %w", a.err)
		}
		return string(a.text), nil
	case <-ctx.Done():
		_ = term.Restore(terminal, before) // the program ends: no more can be done
		fmt.Fprintln(os.Stderr)
		return "", errors.New("interrupted: nothing was changed")
	}
}
