"""The lessons that ship, with their texts and records; worksheets; what an address may say."""
