package dnsrecon_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/dnsrecon"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, dnsrecon.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
