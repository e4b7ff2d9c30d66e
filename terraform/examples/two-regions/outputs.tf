output "functions" {
  description = "The engine of each Region."
  value = {
    "us-east-1" = module.us_east_1.function
    "us-west-2" = module.us_west_2.function
  }
}
