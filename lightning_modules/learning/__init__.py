"""What is learned while the network trains: the policy, and the strength of augmentation."""
