from explorer.testing import check_tests

test_checks = check_tests("my_net")
