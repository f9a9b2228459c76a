package main

import (
	"context"
	"fmt"

	"github.com/verderer/verderer/activity/wire"
	"github.com/verderer/verderer/names"
	"github.com/verderer/verderer/sensor/ship"
	"github.com/verderer/verderer/version"
)

type checkCommand struct {
	Center checkCenter `cmd:"" default:"1" help:"Try the way to the center, step by step."`
}

type checkCenter struct{}

func (checkCenter) Run(ctx context.Context, c *commands) error {
	id, err := c.identity()
	if err != nil {
		return err
	}
	return ship.CheckCenter(ctx, id, wire.Hello{Version: version.String(), Files: id.Files}, func(s string) { fmt.Println(names.Display(s)) })
}
