package kerberoast_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/kerberoast"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, kerberoast.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
