"""What a job costs: tokens and prices, the estimate, the caps and the pilot. All of it pure: no clock, no I/O."""
