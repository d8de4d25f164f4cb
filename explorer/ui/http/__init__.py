"""What the app's server does beside the pages: cookies, sign-in, headers, health and metrics."""
