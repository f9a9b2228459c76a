package bruteforceldap_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/bruteforceldap"
	"github.com/verderer/verderer/center/detect/detecttest"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, bruteforceldap.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
