from explorer.testing import check_tests

test_checks = check_tests("architecture_explorer_timm")
