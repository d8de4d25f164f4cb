from explorer.testing import passport_tests

test_passport = passport_tests("my_net")
