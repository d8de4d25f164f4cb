from explorer.testing import passport_tests

test_passport = passport_tests("architecture_explorer_timm")
