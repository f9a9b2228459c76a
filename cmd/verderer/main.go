// Command verderer watches Active Directory for identity attacks.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/verderer/verderer/analyze"
	"github.com/verderer/verderer/version"
)

// Exit codes that scripts rely on.
const (
	exitDone    = 0
	exitError   = 1
	exitUsage   = 2
	exitDamaged = 3 // something could not be read; the rest was analyzed
)

type commands struct {
	Analyze   analyzeCommand   `cmd:"" help:"Read captures and event logs, and print alerts of identity attacks."`
	Serve     serveCommand     `cmd:"" help:"Run the center: take what sensors send, detect, and serve the console."`
	AccessKey accessKeyCommand `cmd:"" help:"Keys with which sensors enroll."`
	User      userCommand      `cmd:"" help:"Accounts of the console."`
	Config    configCommand    `cmd:"" help:"The center's configuration."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

func main() {
	var c commands
	parser := kong.Must(&c,
		kong.Name("verderer"),
		kong.Description("Detects identity attacks on Active Directory."),
		kong.Vars{"config": defaultConfig},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	ctx, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "verderer: %v\nTry 'verderer --help'.\n", err)
		os.Exit(exitUsage)
	}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	code := exitDone
	ctx.BindTo(stop, (*context.Context)(nil))
	ctx.Bind(&code)
	if err := ctx.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "verderer: %s\n", printable(err.Error()))
		code = exitError
		var usage *analyze.UsageError
		if errors.As(err, &usage) {
			code = exitUsage
		}
	}
	os.Exit(code)
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println("verderer", version.String())
	return nil
}
