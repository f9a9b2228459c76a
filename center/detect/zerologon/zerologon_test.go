package zerologon_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/zerologon"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, zerologon.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
