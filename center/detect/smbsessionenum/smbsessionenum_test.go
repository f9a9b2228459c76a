package smbsessionenum_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/smbsessionenum"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, smbsessionenum.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
